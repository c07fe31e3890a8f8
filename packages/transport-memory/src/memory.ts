/** The memory transport: listeners and connections inside one thread, without the kernel's network. */
import {
  assert,
  type Connection,
  KoalaError,
  type Listener,
  type Transport,
} from "@koala/interface";
import { doorbellRing, EBADF, ECONNREFUSED } from "@koala/native";
import { openMemoryEnd } from "./memory-connection.ts";
import { MemoryListener } from "./memory-listener.ts";
import {
  checkMemoryBytes,
  createMemoryPair,
  type MemoryEnd,
  memoryPairBytesDefault,
} from "./memory-pair.ts";

/** Options of the memory transport. */
export interface MemoryOptions {
  /** Bytes in flight in each direction of a connection, a power of two. Default 256 KiB. */
  bytes?: number;
  /** Connections that wait to be accepted at one listener; further ones are refused. Default 512. */
  backlog?: number;
}

const backlogDefault = 512;
/** Where the ports begin that `listen` chooses for port 0; the range the kernel uses, for likeness. */
const portFirst = 32768;
const portLast = 65535;

/**
 * Makes a transport that is a network of its own: what listens on it is reached by what connects on it,
 * in this thread. For pipes between threads, see `createMemoryPair`.
 */
export function createMemoryTransport(options: MemoryOptions = {}): Transport {
  const { bytes = memoryPairBytesDefault, backlog = backlogDefault } = options;
  checkMemoryBytes(bytes);
  return new MemoryNetwork(bytes, backlog);
}

class MemoryNetwork implements Transport {
  readonly name = "memory";
  private readonly bytes: number;
  private readonly backlog: number;
  private readonly listeners = new Map<string, MemoryListener>();
  /** Ends that a descriptor stands for until it is adopted. */
  private readonly ends = new Map<number, MemoryEnd>();
  private readonly refused = new Set<number>();
  private nextPort = portFirst;

  constructor(bytes: number, backlog: number) {
    this.bytes = bytes;
    this.backlog = backlog;
  }

  listen(host: string, port: number): Listener {
    const chosen = port === 0 ? this.choosePort(host) : port;
    const address = `${host}:${chosen}`;
    if (this.listeners.has(address)) {
      throw new KoalaError(
        "ERR_MEMORY_ADDRESS",
        `can't listen at ${address}: something does already; choose another port, or port 0`,
      );
    }
    const listener = new MemoryListener(chosen, this.backlog, {
      onAccept: (end) => this.ends.set(end.doorbell, end),
      onClose: () => this.listeners.delete(address),
    });
    this.listeners.set(address, listener);
    return listener;
  }

  connect(host: string, port: number): number {
    const address = `${host}:${port}`;
    const { a, b } = createMemoryPair({
      bytes: this.bytes,
      remoteOfA: address,
      remoteOfB: `${host}:${this.choosePort(host)}`,
    });
    this.ends.set(a.doorbell, a);
    if (this.listeners.get(address)?.offer(b) !== true) {
      this.refused.add(a.doorbell);
      openMemoryEnd(b).close();
    }
    // As with a socket, the descriptor shows that the outcome is known.
    doorbellRing(a.doorbell);
    return a.doorbell;
  }

  connected(fd: number): number {
    if (!this.ends.has(fd)) return -EBADF;
    return this.refused.has(fd) ? -ECONNREFUSED : 0;
  }

  adopt(fd: number): Connection {
    const end = this.ends.get(fd);
    assert(end !== undefined, "only descriptors of connect and accept are adopted, and once");
    this.ends.delete(fd);
    this.refused.delete(fd);
    return openMemoryEnd(end);
  }

  private choosePort(host: string): number {
    for (;;) {
      const port = this.nextPort;
      this.nextPort = port === portLast ? portFirst : port + 1;
      if (!this.listeners.has(`${host}:${port}`)) return port;
    }
  }
}
