/**
 * Peers that break the rules, one rule each: the daemon ends their link with a reason in its log; the
 * link between two daemons that behave does not notice.
 */
import assert from "node:assert/strict";
import { before, describe, test } from "node:test";
import { create } from "@bufbuild/protobuf";
import { FrameFlag, FrameType } from "@koala/protocol";
import { openMemory } from "@koala/shm";
import { countDescriptors, until } from "@koala/testing";
import { type Cluster, startCluster } from "../stage/cluster.ts";
import { attachHere, type HealthyPair, startHealthyPair } from "../stage/faults-pair.ts";
import {
  depotOf,
  depotSchema,
  depotService,
  ECHO,
  outcomeOf,
  SLOW,
  serveDepot,
} from "../stage/faults-service.ts";
import {
  goodHello,
  type HostileLink,
  hostileCaller,
  jsonFrame,
  longFrame,
  openHostileLink,
  shortFrame,
} from "../stage/hostile-link-helper.ts";

let cluster: Cluster;
let pair: HealthyPair;
let descriptors: number;
const suite: (() => unknown)[] = [];
const ending = { after: (action: () => void | Promise<void>) => void suite.push(action) };
const miB = 1 << 20;

before(async () => {
  cluster = await startCluster(ending, { config: "[link]\nkeepalive = '500ms'\n" });
  pair = await startHealthyPair(ending, cluster.a, cluster.b);
  descriptors = countDescriptors(cluster.b.pid, /socket/);
});

/** The link is ended with this reason in the log, and the others go on. */
async function assertEnded(link: HostileLink, reason: RegExp): Promise<void> {
  await until("the end of the link", () => link.ended);
  await until(`a log line with ${reason}`, () =>
    cluster.b
      .log()
      .split("\n")
      .some((line) => line.includes("link down") && reason.test(line)),
  );
  await pair.check();
}

const hash = depotSchema.hash;
const bind = { target: "healthy", service: "faults.v1.Depot", hash, caller: hostileCaller };
const codec = depotSchema.methods[ECHO]!.input;
const memory = openMemory(new ArrayBuffer(4096));
const parcel = create(depotService.methods[ECHO]!.input, { amount: 1, text: "x" } as never);
const inline = codec.write(parcel, memory, 0, 4096, { add: () => -1 });
const body = memory.u8.slice(0, inline);
const { REQUEST, RESPONSE, CHUNK, CREDIT, CANCEL, BIND, SCHEMA, SERVICES } = FrameType;

test("ends of links are in the status, with the reason", async (t) => {
  const link = await (await openHostileLink(t, cluster.b)).hello();
  link.send(shortFrame(CREDIT, 0, -5));
  await assertEnded(link, /credit of -5/);
  const { runtimes } = await cluster.b.status();
  const closures = runtimes.flatMap((runtime) => runtime.closures);
  const entry = closures.find(({ kind, reason }) => kind === "link" && /credit of -5/.test(reason));
  assert.ok(entry !== undefined, JSON.stringify(closures));
  assert.match(entry.who, / at 127\.0\.0\.1:\d+$/);
  assert.equal(entry.code, "");
});

describe("before HELLO", () => {
  const cases: Record<string, [bytes: Uint8Array, reason: RegExp]> = {
    "an HTTP request": [Buffer.from("GET / HTTP/1.1\r\nHost: x\r\n\r\n"), /frame of \d+ bytes/],
    zeros: [Buffer.alloc(64), /frame of 0 bytes/],
    ones: [Buffer.alloc(64, 0xff), /frame of -1 bytes/],
    "a length beyond the limit": [
      Buffer.from(new Int32Array([8 * miB, 1, 0, 0]).buffer),
      /HELLO frame of 8388608/,
    ],
    "a crooked length": [Buffer.from(new Int32Array([17, 1, 0, 0, 0]).buffer), /frame of 17 bytes/],
    "a frame below its header": [
      Buffer.from(new Int32Array([16, REQUEST, 0, 0]).buffer),
      /REQUEST frame of 16/,
    ],
    "a request first": [longFrame([0, REQUEST]), /REQUEST frame before HELLO/],
    "a chunk first": [shortFrame(CHUNK, 0, 0, "12345678"), /CHUNK frame before HELLO/],
    "an unknown type first": [shortFrame(99, 0, 0), /before HELLO/],
    "HELLO that is not JSON": [shortFrame(FrameType.HELLO, 0, 0, "hello dear"), /not JSON/],
    "HELLO that is too large": [
      shortFrame(FrameType.HELLO, 0, 0, " ".repeat(300_000)),
      /HELLO frame of/,
    ],
    "another magic": [
      jsonFrame(FrameType.HELLO, 0, { ...goodHello, magic: "grpc" }),
      /malformed HELLO/,
    ],
    "another version": [jsonFrame(FrameType.HELLO, 0, { ...goodHello, version: 2 }), /version 2/],
    "windows that are no numbers": [
      jsonFrame(FrameType.HELLO, 0, { ...goodHello, linkWindow: "1" }),
      /malformed HELLO/,
    ],
    "windows below zero": [
      jsonFrame(FrameType.HELLO, 0, { ...goodHello, streamWindow: -1 }),
      /malformed HELLO/,
    ],
  };
  for (const [what, [bytes, reason]] of Object.entries(cases)) {
    test(what, async (t) => {
      const link = await openHostileLink(t, cluster.b);
      link.send(bytes);
      await assertEnded(link, reason);
    });
  }
  test("half a frame, then silence", async (t) => {
    const link = await openHostileLink(t, cluster.b);
    link.send(jsonFrame(FrameType.HELLO, 0, goodHello).subarray(0, 20));
    await assertEnded(link, /no sign of life|HELLO/);
  });
  test("a byte from time to time, and never a HELLO", async (t) => {
    const link = await openHostileLink(t, cluster.b);
    const hello = jsonFrame(FrameType.HELLO, 0, goodHello);
    let at = 0;
    const timer = setInterval(() => link.send(hello.subarray(at, ++at)), 100);
    try {
      await until("the end of the link", () => link.ended, 10_000);
    } finally {
      clearInterval(timer);
    }
    await assertEnded(link, /HELLO/);
  });
});

describe("after HELLO", () => {
  const word7 = (metadata: number, segments: number) => metadata | (segments << 16);
  const cases: Record<string, [frames: Uint8Array[], reason: RegExp]> = {
    "a second HELLO": [[jsonFrame(FrameType.HELLO, 0, goodHello)], /second HELLO/],
    "an unknown type": [[jsonFrame(77, 0, {})], /type 77/],
    "SERVICES that are none": [[jsonFrame(SERVICES, 0, { services: [{}] })], /SERVICES/],
    "BIND that is none": [[jsonFrame(BIND, 0, { target: "" })], /malformed BIND/],
    "BIND twice": [[jsonFrame(BIND, 0, bind), jsonFrame(BIND, 0, bind)], /binding 0 twice/],
    "BIND with a negative id": [[jsonFrame(BIND, -1, bind)], /binding -1/],
    "a schema nobody asked for": [[shortFrame(SCHEMA, 5, 8, "12345678")], /not asked for/],
    "a schema beyond the limit": [
      [
        jsonFrame(BIND, 0, { ...bind, hash: "0".repeat(64) }),
        shortFrame(SCHEMA, 0, 0x7fffffff, "12345678"),
      ],
      /schema of 2147483647/,
    ],
    "an empty piece of a schema": [
      [jsonFrame(BIND, 0, { ...bind, hash: "0".repeat(64) }), shortFrame(SCHEMA, 0, 100)],
      /empty piece/,
    ],
    "BOUND for what was not asked": [[shortFrame(FrameType.BOUND, 3, 0)], /not asked for/],
    "REFUSED for what was not asked": [
      [jsonFrame(FrameType.REFUSED, 3, { code: "X", status: 5, message: "" })],
      /not asked for/,
    ],
    "NEED_SCHEMA for what is not bound": [
      [shortFrame(FrameType.NEED_SCHEMA, 3, 0)],
      /which is none/,
    ],
    "a malformed GOAWAY": [[jsonFrame(FrameType.GOAWAY, 0, [])], /GOAWAY/],
    "a credit of nothing": [[shortFrame(CREDIT, 0, 0)], /credit of 0/],
    "a negative credit": [[shortFrame(CREDIT, 0, -5)], /credit of -5/],
    "a request for no binding": [[longFrame([0, REQUEST, 1, 44, inline], body)], /binding 44/],
    "negative inline length": [[longFrame([0, REQUEST, 1, 0, -8])], /-8 inline/],
    "crooked inline length": [[longFrame([0, REQUEST, 1, 0, 12])], /12 inline/],
    "negative segment bytes": [[longFrame([0, REQUEST, 1, 0, 8, -8])], /-8 segment bytes/],
    "too many segments": [[longFrame([0, REQUEST, 1, 0, 8, 8, 0, word7(0, 65)])], /65 segments/],
    "too much metadata": [[longFrame([0, REQUEST, 1, 0, 8, 0, 0, word7(0xffff, 0)])], /metadata/],
    "a head longer than its frame": [
      [longFrame([0, REQUEST, 1, 0, 8, 0, 0, word7(800, 0)])],
      /expected all or none/,
    ],
    "half a body": [[longFrame([0, REQUEST, 1, 0, 64], new Uint8Array(8))], /expected all or none/],
    "a status message without end": [[longFrame([0, RESPONSE, 1, 0x7ffffff8])], /status message/],
    "details without end": [[longFrame([0, RESPONSE, 1, 0, 0, 0, -1])], /details/],
    "a stream message, which comes later": [
      [longFrame([0, FrameType.STREAM_MESSAGE])],
      /does not know|not JSON/,
    ],
  };
  for (const [what, [frames, reason]] of Object.entries(cases)) {
    test(what, async (t) => {
      const link = await (await openHostileLink(t, cluster.b)).hello();
      link.send(...frames);
      await assertEnded(link, reason);
    });
  }

  const bound: Record<string, [frames: Uint8Array[], reason: RegExp]> = {
    "a method that is not there": [
      [longFrame([0, REQUEST | (9 << 16), 1, 0, inline], body)],
      /method 9/,
    ],
    "a request without a message": [[longFrame([0, REQUEST, 1, 0, 0])], /without a message/],
    "a malformed message": [
      [longFrame([0, REQUEST, 1, 0, 64], new Uint8Array(64).fill(0xff))],
      /malformed/,
    ],
    "a stream that is open": [
      [0, 0].map(() => longFrame([0, REQUEST | (SLOW << 16), 1, 0, inline], body)),
      /stream 1, which is open/,
    ],
    "a chunk at the wrong place": [
      [longFrame([0, REQUEST, 1, 0, 64]), shortFrame(CHUNK, 1, 8, new Uint8Array(8))],
      /chunk of 8 bytes at 8/,
    ],
    "a chunk beyond the message": [
      [longFrame([0, REQUEST, 1, 0, 64]), shortFrame(CHUNK, 1, 0, new Uint8Array(72))],
      /chunk of 72 bytes at 0/,
    ],
    "a malformed message in chunks": [
      [longFrame([0, REQUEST, 1, 0, 64]), shortFrame(CHUNK, 1, 0, new Uint8Array(64).fill(0xff))],
      /malformed/,
    ],
    "segments that do not add up": [
      [
        longFrame(
          [0, REQUEST, 1, 0, 8, 16, 0, word7(0, 1)],
          Buffer.from(new Int32Array([3, 0, 0, 0, 0, 0, 0, 0]).buffer),
        ),
      ],
      /segment bytes announced/,
    ],
  };
  for (const [what, [frames, reason]] of Object.entries(bound)) {
    test(what, async (t) => {
      const link = await (await openHostileLink(t, cluster.b)).hello();
      await link.bind(0, "healthy", depotSchema);
      link.send(...frames);
      await assertEnded(link, reason);
    });
  }

  test("what may cross on its way is no crime", async (t) => {
    const link = await (await openHostileLink(t, cluster.b)).hello();
    link.send(
      shortFrame(CHUNK, 999, 0, new Uint8Array(4096)),
      shortFrame(CHUNK, 999, 4096, new Uint8Array(800), FrameFlag.FROM_CALLEE),
      shortFrame(CANCEL, 999, 0),
      shortFrame(CREDIT, 999, 5),
      shortFrame(CREDIT, 0, 0x7fffffff),
      shortFrame(CREDIT, 0, 0x7fffffff),
      longFrame([0, RESPONSE, 12345]),
      shortFrame(FrameType.PONG, 0, 0),
      shortFrame(FrameType.PING, 7, 9),
    );
    assert.equal((await link.expect(FrameType.PONG)).readInt32LE(12), 9);
    await link.bind(0, "healthy", depotSchema);
    link.send(longFrame([0, REQUEST, 1, 0, inline], body));
    assert.equal((await link.expect(RESPONSE)).readUInt16LE(6) & 0xff, 0);
    await pair.check();
  });

  test("a service that is refused after it was offered", async (t) => {
    const link = await openHostileLink(t, cluster.b);
    await link.hello({
      services: [{ name: "bait", service: "faults.v1.Depot", hashes: [hash], instances: 1 }],
    });
    const depot = depotOf(await attachHere(t, cluster.b, "victim"), "bait");
    const outcome = outcomeOf(depot.echo({}, { timeoutMs: 10_000 }));
    await link.expect(BIND);
    link.send(jsonFrame(FrameType.REFUSED, 0, { code: "X", status: 9, message: "no" }));
    assert.equal(await outcome, "FAILED_PRECONDITION/local-daemon");
  });

  test("a server over there that answers nonsense", async (t) => {
    const link = await openHostileLink(t, cluster.b);
    await link.hello({
      services: [{ name: "bait", service: "faults.v1.Depot", hashes: [hash], instances: 1 }],
    });
    const depot = depotOf(await attachHere(t, cluster.b, "victim"), "bait");
    const outcome = outcomeOf(depot.echo({}, { timeoutMs: 10_000 }));
    await link.expect(BIND);
    link.send(shortFrame(FrameType.BOUND, 0, 0));
    const stream = (await link.expect(REQUEST)).readInt32LE(8);
    link.send(longFrame([0, RESPONSE, stream, 0, 64], new Uint8Array(64).fill(0xff)));
    await assertEnded(link, /malformed/);
    assert.match(await outcome, /^(UNAVAILABLE|INTERNAL)\/link$/);
  });

  test("a schema that is asked for again and again", async (t) => {
    const link = await openHostileLink(t, cluster.b);
    await link.hello({
      services: [{ name: "bait", service: "faults.v1.Depot", hashes: [hash], instances: 1 }],
    });
    const depot = depotOf(await attachHere(t, cluster.b, "victim"), "bait");
    const outcome = outcomeOf(depot.echo({}, { timeoutMs: 10_000 }));
    await link.expect(BIND);
    const ask = shortFrame(FrameType.NEED_SCHEMA, 0, 0);
    link.send(...new Array(1000).fill(ask));
    await assertEnded(link, /schema of binding 0.*again/);
    assert.match(await outcome, /^UNAVAILABLE/);
  });
});

describe("memory", () => {
  /** No more than this may come on top, whatever a peer does. */
  const growthMax = 300 * miB;
  const rss = async () => (await cluster.b.status()).memory.rssBytes;

  test("pings whose answers are not read", async (t) => {
    const before = await rss();
    const link = await (await openHostileLink(t, cluster.b)).hello();
    link.socket.pause();
    const pings = Buffer.concat(new Array(60_000).fill(shortFrame(FrameType.PING, 0, 0)));
    for (let i = 0; i < 60 && !link.ended; i++) {
      await new Promise<void>((resolve) => {
        link.socket.write(pings, () => resolve());
        link.socket.once("close", () => resolve());
      });
    }
    await pair.check();
    const after = await rss();
    t.diagnostic(`RSS ${(before / miB) | 0} MiB, then ${(after / miB) | 0} MiB`);
    assert.ok(after < before + growthMax);
  });

  test("large messages that are announced and never sent", async (t) => {
    const before = await rss();
    const link = await (await openHostileLink(t, cluster.b)).hello();
    await serveDepot(await attachHere(t, cluster.b, "victim"), "hoard");
    await link.bind(0, "hoard", depotSchema);
    for (let stream = 0; stream < 4000; stream++) {
      link.send(longFrame([0, REQUEST, stream, 0, 60 * miB]));
    }
    link.send(shortFrame(FrameType.PING, 1, 1));
    await link.expect(FrameType.PONG);
    await pair.check();
    assert.ok((await rss()) < before + growthMax);
  });

  test("half messages without end: there is an end", async (t) => {
    const link = await (await openHostileLink(t, cluster.b)).hello();
    await serveDepot(await attachHere(t, cluster.b, "victim"), "hoard");
    await link.bind(0, "hoard", depotSchema);
    const before = (await cluster.b.status()).memory.rssBytes;
    const piece = new Uint8Array(256 * 1024);
    // The app's heap takes 256 MiB of them, then there is room for twice the link's window.
    const streams = 1200;
    for (let stream = 0; stream < streams && !link.ended; stream++) {
      const frames = [longFrame([0, REQUEST, stream, 0, 2 * miB])];
      link.send(...frames, shortFrame(CHUNK, stream, 0, piece));
      if (stream % 16 === 0) await new Promise((resolve) => setImmediate(resolve));
    }
    await link.expect(RESPONSE);
    assert.equal(link.ended, false);
    const grown = (await cluster.b.status()).memory.rssBytes - before;
    assert.ok(grown < 400 * miB, `the daemon grew by ${grown / miB} MiB`);
    await pair.check();
  });

  test("resets in the middle of everything, and all descriptors come back", async (t) => {
    const frames = [
      jsonFrame(FrameType.HELLO, 0, goodHello),
      jsonFrame(BIND, 0, bind),
      longFrame([0, REQUEST | (SLOW << 16), 1, 0, inline], body),
      longFrame([0, REQUEST, 2, 0, miB]),
      shortFrame(CHUNK, 2, 0, new Uint8Array(200_000)),
    ];
    const session = Buffer.concat(frames);
    for (let i = 0; i < 40; i++) {
      const link = await openHostileLink(t, cluster.b);
      link.send(session.subarray(0, Math.floor((session.length * i) / 40) + 1));
      if (i % 2 === 0) link.socket.resetAndDestroy();
      else link.socket.destroySoon();
    }
    await until("the links' descriptors", async () => {
      const { links } = (await cluster.b.status()).counters;
      return links === 1 && countDescriptors(cluster.b.pid, /socket/) <= descriptors;
    });
    await pair.check();
  });
});

test("the end", async () => {
  await pair.check();
  for (const action of suite.reverse()) await action();
});
