import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { Connection } from "@koala/interface";
import { Prng } from "@koala/testing";
import { createMemoryPair, openMemoryEnd } from "@koala/transport-memory";
import { createTcpTransport } from "@koala/transport-tcp";
import { Side } from "./link-party-helper.test.ts";

const calls = 200;
/** The kernel may let a full socket wait for a while; what takes longer hangs. */
const deadlineMs = 30_000;

/** The two ends of a connection, and how to get rid of what is not the ends'. */
function overMemory(): [Connection, Connection, () => void] {
  const { a, b } = createMemoryPair({ bytes: 8192 });
  return [openMemoryEnd(a), openMemoryEnd(b), () => {}];
}

function overTcp(): [Connection, Connection, () => void] {
  const transport = createTcpTransport({ sendBytes: 65_536, receiveBytes: 65_536 });
  const listener = transport.listen("127.0.0.1", 0);
  const fd = transport.connect("127.0.0.1", listener.port);
  let accepted = listener.accept();
  while (accepted < 0) accepted = listener.accept();
  while (transport.connected(fd) !== 0);
  return [transport.adopt(fd), transport.adopt(accepted), () => listener.close()];
}

describe("a link that goes on from its state", () => {
  for (const [name, connect] of Object.entries({ memory: overMemory, tcp: overTcp })) {
    for (const seed of [1, 2]) {
      it(`loses nothing, wherever it was interrupted (${name}, seed ${seed})`, () => {
        const random = new Prng(seed);
        const [one, other, close] = connect();
        const left = new Side("left", one, random, false);
        const right = new Side("right", other, random, true);
        try {
          let begun = 0;
          const until = performance.now() + deadlineMs;
          while (begun < calls || left.peer.asked.size > 0) {
            assert.ok(performance.now() < until, `${left.peer.asked.size} calls hang`);
            const isUp = left.link.peer !== null && right.link.peer !== null;
            if (isUp && begun < calls && random.chance(0.3)) {
              begun++;
              left.peer.ask();
            }
            if (random.chance(0.3)) right.peer.answer();
            for (const side of [left, right]) {
              if (random.chance(0.7)) side.turn();
              if (random.chance(0.3)) side.peer.takePostponed();
              if (random.chance(0.08)) side.move();
            }
          }
          // Blocks that are still referred to are free once all is sent.
          for (let i = 0; i < 100; i++) for (const side of [left, right]) side.turn();
          assert.deepEqual(left.peer.failures, []);
          assert.ok(left.moves >= 10 && right.moves >= 10);
          assert.equal(left.router.calls.count, 0);
          assert.equal(right.router.calls.count, 0);
          assert.equal(left.peer.freed.size, calls);
          assert.ok([...left.peer.freed.values()].every((times) => times === 1));
        } finally {
          one.close();
          other.close();
          close();
        }
      });
    }
  }
});
