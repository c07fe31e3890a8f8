/** Connects two ends of the transport under test and cleans up after each test. */
import assert from "node:assert/strict";
import type { Connection, Listener, Transport } from "@koala/interface";
import { EAGAIN, EINPROGRESS } from "@koala/native";
import { FdWaiter } from "../fd-waiter.ts";
import type { Ending } from "../temp.ts";

/** What the suite has to know about an implementation. */
export interface TransportSubject {
  /** Title of the tests. */
  name: string;
  /** A numeric address at which it can listen. */
  host: string;
  /** A new transport, with buffers small enough that a few megabytes fill them. */
  create(): Transport;
}

export class TransportFixture {
  readonly waiter: FdWaiter = new FdWaiter();
  readonly transport: Transport;
  readonly host: string;
  private readonly opened: { close(): void }[] = [];

  constructor(subject: TransportSubject, test: Ending) {
    this.transport = subject.create();
    this.host = subject.host;
    test.after(() => {
      for (const each of this.opened) each.close();
      this.waiter.close();
    });
  }

  listen(): Listener {
    const listener = this.transport.listen(this.host, 0);
    this.opened.push(listener);
    this.waiter.add(listener.fd);
    return listener;
  }

  /** Both ends of a new connection: the one that connected, the one that was accepted. */
  connect(listener: Listener): [Connection, Connection] {
    const fd = this.transport.connect(this.host, listener.port);
    this.waiter.add(fd);
    let accepted = -EAGAIN;
    this.waiter.until("the connection is accepted", () => {
      accepted = listener.accept();
      return accepted !== -EAGAIN;
    });
    assert.ok(accepted >= 0, `accept returned ${accepted}`);
    this.waiter.until("the connection stands", () => this.transport.connected(fd) !== -EINPROGRESS);
    assert.equal(this.transport.connected(fd), 0);
    this.waiter.add(accepted);
    return [this.adopt(fd), this.adopt(accepted)];
  }

  /** The outcome of connecting to a port. */
  outcomeOf(port: number): number {
    const fd = this.transport.connect(this.host, port);
    this.waiter.add(fd);
    let outcome = -EINPROGRESS;
    this.waiter.until("connecting has an outcome", () => {
      outcome = this.transport.connected(fd);
      return outcome !== -EINPROGRESS;
    });
    this.transport.adopt(fd).close();
    return outcome;
  }

  private adopt(fd: number): Connection {
    const connection = this.transport.adopt(fd);
    this.opened.push(connection);
    return connection;
  }
}
