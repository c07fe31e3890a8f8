/**
 * The contract of a transport (transport.ts of `@koala/interface`) as tests. Every implementation runs
 * them; what they do not ask for, the engines above must not rely on.
 *
 * Waiting goes by changes of `fd` alone (see FdWaiter), so a wake-up that gets lost fails a test.
 */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { type Connection, KoalaError, type Span } from "@koala/interface";
import { EAGAIN, ECONNRESET, EINVAL } from "@koala/native";
import { bytesAllocatedBy } from "../allocations.ts";
import { countDescriptors } from "../descriptors.ts";
import { Prng } from "../prng.ts";
import { PatternReceiver, PatternSender } from "./byte-pattern.ts";
import { TransportFixture, type TransportSubject } from "./transport-fixture.ts";

export type { TransportSubject } from "./transport-fixture.ts";

const MIB = 1024 * 1024;
/** More than any transport takes without somebody receiving. */
const floodBytesMax: number = 64 * MIB;

/** Registers the tests of the contract for one implementation. */
export function testTransport(subject: TransportSubject): void {
  describe(`transport contract: ${subject.name}`, () => {
    testConnecting(subject);
    testTransfer(subject);
    testSpans(subject);
    testEnding(subject);
    testNumbers(subject);
  });
}

function testConnecting(subject: TransportSubject): void {
  it("connects two ends that know each other", (test) => {
    const fixture = new TransportFixture(subject, test);
    const listener = fixture.listen();
    assert.ok(listener.port > 0);
    assert.equal(listener.accept(), -EAGAIN, "nobody has connected yet");
    const [client, server] = fixture.connect(listener);
    assert.ok(client.remote.includes(String(listener.port)), client.remote);
    assert.ok(server.remote.length > 0);
    assert.notEqual(client.fd, server.fd);
    assert.equal(client.sentBytes(), 0);
    assert.equal(client.receive([spanOf(8)], 1), 0, "nothing is there yet");
  });

  it("refuses a port at which nobody listens", (test) => {
    const fixture = new TransportFixture(subject, test);
    const listener = fixture.listen();
    const { port } = listener;
    listener.close();
    listener.close();
    assert.ok(fixture.outcomeOf(port) < 0);
    assert.ok(listener.accept() < 0);
  });

  it("names the address when it can't listen", (test) => {
    const fixture = new TransportFixture(subject, test);
    const { port } = fixture.listen();
    assert.throws(
      () => fixture.transport.listen(fixture.host, port),
      (error: unknown) =>
        error instanceof KoalaError &&
        /^ERR_[A-Z_]+$/.test(error.code) &&
        error.message.includes(`${fixture.host}:${port}`),
    );
  });

  it("keeps apart what many connections carry", (test) => {
    const fixture = new TransportFixture(subject, test);
    const listener = fixture.listen();
    const pairs = Array.from({ length: 100 }, () => fixture.connect(listener));
    const buffer = new ArrayBuffer(16);
    const words = new Int32Array(buffer);
    for (const [index, [client]] of pairs.entries()) {
      words[0] = index;
      assert.equal(client.send([{ buffer, offset: 0, length: 4 }], 1), 4);
    }
    for (const [index, [, server]] of pairs.entries()) {
      fixture.waiter.until("its four bytes", () => {
        return server.receive([{ buffer, offset: 4, length: 4 }], 1) === 4;
      });
      assert.equal(words[1], index);
    }
  });
}

function testTransfer(subject: TransportSubject): void {
  const large = { spansMax: 64, bytesMax: 256 * 1024 };
  const small = { spansMax: 5, bytesMax: 100 };

  for (const [title, bytes, cuts] of [
    ["large transfers with many spans", 16 * MIB, large],
    ["many small transfers", 300_000, small],
  ] as const) {
    it(`keeps the order: ${title}`, (test) => {
      const fixture = new TransportFixture(subject, test);
      const prng = new Prng(bytes);
      const [client, server] = fixture.connect(fixture.listen());
      const sender = new PatternSender(client, prng, cuts);
      const receiver = new PatternReceiver(server, prng, cuts);
      fixture.waiter.until("all bytes are received", () => {
        sender.pump(bytes);
        receiver.pump();
        return receiver.position === bytes;
      });
      fixture.waiter.until("all memory is back", () => client.sentBytes() === bytes);
      assert.equal(server.sentBytes(), 0);
    });
  }

  it("carries both directions at once", (test) => {
    const fixture = new TransportFixture(subject, test);
    const prng = new Prng(7);
    const bytes = 4 * MIB;
    const ends = fixture.connect(fixture.listen());
    const senders = ends.map((end) => new PatternSender(end, prng, large));
    const receivers = ends.map((end) => new PatternReceiver(end, prng, large));
    fixture.waiter.until("all bytes are received on both sides", () => {
      for (const sender of senders) sender.pump(bytes);
      for (const receiver of receivers) receiver.pump();
      return receivers.every((receiver) => receiver.position === bytes);
    });
  });

  it("pushes back when nobody receives, and wakes the sender when somebody does", (test) => {
    const fixture = new TransportFixture(subject, test);
    const prng = new Prng(8);
    const [client, server] = fixture.connect(fixture.listen());
    const sender = new PatternSender(client, prng, large);
    const receiver = new PatternReceiver(server, prng, large);
    sender.pump(floodBytesMax);
    // What is on its way may still settle; then it must be full for good.
    for (let i = 0; i < 1000; i++) sender.pump(floodBytesMax);
    const full = sender.position;
    assert.ok(full < floodBytesMax, "an unread connection takes a bounded number of bytes");
    assert.equal(client.send([spanOf(1)], 1), 0, "0 says full");
    const end = full + 4 * MIB;
    fixture.waiter.until("the sender goes on", () => {
      receiver.pump();
      sender.pump(end);
      receiver.pump();
      return receiver.position === end;
    });
    assert.equal(sender.failure, 0);
  });
}

function testSpans(subject: TransportSubject): void {
  it("looks at spanCount spans and nothing behind them", (test) => {
    const fixture = new TransportFixture(subject, test);
    const [client, server] = fixture.connect(fixture.listen());
    const buffer = Uint8Array.from([1, 2, 3, 4, 5, 6, 7, 8]).buffer;
    const spans = [0, 2, 4, 6].map((offset) => ({ buffer, offset, length: 2 }));
    assert.equal(client.send(spans, 0), 0);
    assert.equal(client.send(spans, 3), 6);
    const target = spanOf(64);
    let got = 0;
    fixture.waiter.until("six bytes", () => {
      got += Math.max(server.receive([{ ...target, offset: got, length: 64 - got }], 1), 0);
      return got >= 6;
    });
    assert.deepEqual([...new Uint8Array(target.buffer, 0, got)], [1, 2, 3, 4, 5, 6]);
    assert.equal(server.receive([target], 0), 0);
    assert.equal(server.receive([{ ...target, length: 0 }], 1), 0);
  });

  it("takes a prefix of more spans than it can hand over at once", (test) => {
    const fixture = new TransportFixture(subject, test);
    const [client, server] = fixture.connect(fixture.listen());
    const { buffer } = spanOf(4000);
    const spans = Array.from({ length: 4000 }, (_, offset) => ({ buffer, offset, length: 1 }));
    const taken = client.send(spans, spans.length);
    assert.ok(taken > 0 && taken <= 4000, `${taken} taken`);
    let got = 0;
    fixture.waiter.until("what was taken arrives", () => {
      got += Math.max(server.receive(spans, spans.length), 0);
      return got >= taken;
    });
    assert.equal(got, taken);
  });

  it("refuses spans outside their buffer without throwing", (test) => {
    const fixture = new TransportFixture(subject, test);
    const [client, server] = fixture.connect(fixture.listen());
    const good = spanOf(8);
    assert.equal(client.send([good], 1), 8);
    for (const [offset, length] of [
      [4, 8],
      [-4, 4],
      [0, -1],
      [0, 9],
    ] as const) {
      const bad = { buffer: good.buffer, offset, length };
      assert.equal(client.send([bad], 1), -EINVAL);
      assert.equal(client.send([bad, good], 2), -EINVAL);
      assert.equal(server.receive([bad, good], 2), -EINVAL);
    }
    fixture.waiter.until("the good bytes arrive", () => server.receive([good], 1) === 8);
  });
}

function testEnding(subject: TransportSubject): void {
  it("delivers what was sent before an orderly end, then says so", (test) => {
    const fixture = new TransportFixture(subject, test);
    const prng = new Prng(9);
    const cuts = { spansMax: 4, bytesMax: 1000 };
    const [client, server] = fixture.connect(fixture.listen());
    const sender = new PatternSender(client, prng, cuts);
    assert.ok(sender.pump(3000));
    client.close();
    const receiver = new PatternReceiver(server, prng, cuts);
    fixture.waiter.until("the end", () => {
      receiver.pump();
      return receiver.failure !== 0;
    });
    assert.equal(receiver.position, 3000);
    assert.equal(receiver.failure, -ECONNRESET);
    assert.ok(server.receive([spanOf(8)], 1) < 0, "it stays dead");
  });

  it("fails to send to a peer that has closed", (test) => {
    const fixture = new TransportFixture(subject, test);
    const [client, server] = fixture.connect(fixture.listen());
    server.close();
    fixture.waiter.until("sending fails", () => client.send([spanOf(100)], 1) < 0);
    fixture.waiter.until("receiving fails", () => client.receive([spanOf(8)], 1) < 0);
  });

  it("ends when the peer closes with bytes unread", (test) => {
    const fixture = new TransportFixture(subject, test);
    const [client, server] = fixture.connect(fixture.listen());
    assert.equal(client.send([spanOf(100)], 1), 100);
    fixture.waiter.until("some of them arrive", () => server.receive([spanOf(10)], 1) > 0);
    server.close();
    fixture.waiter.until("the client notices", () => client.receive([spanOf(8)], 1) < 0);
  });

  it("wakes a sender that waits for room when the peer closes", (test) => {
    const fixture = new TransportFixture(subject, test);
    const cuts = { spansMax: 1, bytesMax: 256 * 1024 };
    const [client, server] = fixture.connect(fixture.listen());
    const sender = new PatternSender(client, new Prng(10), cuts);
    for (let i = 0; i < 1000; i++) sender.pump(floodBytesMax);
    server.close();
    fixture.waiter.until("the sender notices", () => {
      sender.pump(floodBytesMax);
      return sender.failure !== 0;
    });
  });

  it("can be closed twice, and does nothing afterwards", (test) => {
    const fixture = new TransportFixture(subject, test);
    const listener = fixture.listen();
    const [client] = fixture.connect(listener);
    client.close();
    client.close();
    // The next connection is likely to get the same descriptor, which the closed one must not touch.
    const [second, secondServer] = fixture.connect(listener);
    client.close();
    assert.ok(client.send([spanOf(8)], 1) < 0);
    assert.ok(client.receive([spanOf(8)], 1) < 0);
    assert.equal(second.send([spanOf(8)], 1), 8);
    fixture.waiter.until("8 bytes", () => secondServer.receive([spanOf(8)], 1) === 8);
  });

  it("drops connections that nobody accepted when the listener closes", (test) => {
    const fixture = new TransportFixture(subject, test);
    const listener = fixture.listen();
    const fd = fixture.transport.connect(fixture.host, listener.port);
    fixture.waiter.add(fd);
    const connection: Connection = fixture.transport.adopt(fd);
    listener.close();
    fixture.waiter.until("it is over", () => connection.receive([spanOf(8)], 1) < 0);
    connection.close();
  });
}

function testNumbers(subject: TransportSubject): void {
  it("allocates nothing for small sends and receives", (test) => {
    const fixture = new TransportFixture(subject, test);
    const [client, server] = fixture.connect(fixture.listen());
    const spans = [spanOf(48), spanOf(16)];
    const pass = () => {
      client.send(spans, 2);
      server.receive(spans, 2);
      client.send(spans, 1);
      server.receive(spans, 1);
    };
    const calls = 4 * 2000;
    assert.ok(bytesAllocatedBy(pass, calls / 4) / calls < 4, "less than half a pointer a call");
  });

  it("leaves no descriptor behind", () => {
    const endings: (() => void)[] = [];
    const cycle = () => {
      const fixture = new TransportFixture(subject, { after: (end) => void endings.push(end) });
      const listener = fixture.listen();
      const [client, server] = fixture.connect(listener);
      client.send([spanOf(1000)], 1);
      fixture.waiter.until("something arrives", () => server.receive([spanOf(10)], 1) > 0);
      listener.close();
      assert.ok(fixture.outcomeOf(listener.port) < 0);
      for (const end of endings.splice(0)) end();
    };
    cycle();
    const before = countDescriptors();
    for (let i = 0; i < 50; i++) cycle();
    assert.equal(countDescriptors(), before);
  });
}

function spanOf(bytes: number): Span {
  return { buffer: new ArrayBuffer(bytes), offset: 0, length: bytes };
}
