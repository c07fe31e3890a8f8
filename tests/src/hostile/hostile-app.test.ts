/**
 * Apps that break the rules, one rule each: the daemon ends them with a reason, says so in its log, and
 * a pair of apps that behave does not notice.
 */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { ftruncateSync, openSync, writeSync } from "node:fs";
import { before, describe, test } from "node:test";
import { create, toBinary } from "@bufbuild/protobuf";
import { FileDescriptorProtoSchema, FileDescriptorSetSchema } from "@bufbuild/protobuf/wkt";
import { closeFd, regionCreate, regionMap, unixPair } from "@koala/native";
import {
  CONTROL_VERSION,
  SlotFlag,
  SlotKind,
  W_BLOCK_OFFSET,
  W_BLOCK_TAG,
  W_CALL,
  W_DETAILS_LENGTH,
  W_INLINE_LENGTH,
  W_KIND,
  W_MESSAGE_LENGTH,
  W_METADATA_LENGTH,
  W_RELEASED_OFFSET,
  W_RELEASED_TAG,
  W_SEGMENT_BYTES,
  W_SEGMENT_COUNT,
  W_STATUS,
  W_TARGET,
} from "@koala/protocol";
import { RING_HEAD_OFFSET, RING_TAIL_OFFSET, ringBytes } from "@koala/shm";
import { countDescriptors, countMappings, countMemfds, until } from "@koala/testing";
import { atEnd, type Daemon, startDaemon } from "../stage/cluster.ts";
import { attachHere, type HealthyPair, startHealthyPair } from "../stage/faults-pair.ts";
import { depotOf, depotSchema, depotService, ECHO, outcomeOf } from "../stage/faults-service.ts";
import {
  type Closed,
  type HostileApp,
  openHostileApp,
  schemaFile,
} from "../stage/hostile-app-helper.ts";

let daemon: Daemon;
let pair: HealthyPair;
const suite: (() => unknown)[] = [];

before(async () => {
  const config = "[limits]\nschema = '64KiB'\nservices_per_app = 8\n";
  daemon = await startDaemon({ after: (action) => suite.push(action) }, { config });
  pair = await startHealthyPair({ after: (action) => suite.push(action) }, daemon);
});

/** The app is ended with this reason, the log says it, and the others go on. */
async function assertEnded(app: HostileApp, code: string, reason: RegExp): Promise<Closed> {
  const closed = await app.end();
  assert.equal(closed.code, code);
  assert.match(closed.message, reason);
  await until(`a log line with the reason ${reason}`, () =>
    daemon
      .log()
      .split("\n")
      .some((line) => line.includes(code) && reason.test(line)),
  );
  await pair.check();
  return closed;
}

/** An app with a binding and a message of its own at offset 0 of the send heap. */
async function caller(t: Parameters<typeof openHostileApp>[0]) {
  const app = await openHostileApp(t, daemon).hello();
  const binding = await app.bind("healthy", depotSchema);
  const codec = depotSchema.methods[ECHO]!.input;
  const parcel = create(depotService.methods[ECHO]!.input, { amount: 1, text: "x" } as never);
  const inline = codec.write(parcel, app.sendHeap, 0, 4096, { add: () => -1 });
  const call = {
    [W_KIND]: SlotKind.CALL | (ECHO << 16),
    [W_CALL]: 0,
    [W_TARGET]: binding,
    [W_BLOCK_TAG]: 0,
    [W_BLOCK_OFFSET]: 0,
    [W_INLINE_LENGTH]: inline,
  };
  return { app, call, inline };
}

test("ends of apps are in the status, with the reason", async (t) => {
  const hostile = await openHostileApp(t, daemon).hello();
  hostile.packet({ op: "sudo" });
  await assertEnded(hostile, "ERR_APP_PROTOCOL", /malformed control packet/);
  const violator = await openHostileApp(t, daemon).hello();
  violator.slot({ [W_KIND]: 99 });
  violator.ring();
  await assertEnded(violator, "ERR_APP_PROTOCOL", /99/);
  const mesh = await attachHere(t, daemon, "orderly");
  await mesh.close();
  await until("the end of the orderly app in the status", async () => {
    const { runtimes } = await daemon.status();
    return runtimes.some(({ closures }) => closures.some(({ who }) => who.startsWith("orderly[")));
  });
  const { runtimes } = await daemon.status();
  const closures = runtimes.flatMap((runtime) => runtime.closures);
  const [first, second, last] = closures.slice(-3);
  assert.deepEqual([first!.kind, first!.code], ["app", "ERR_APP_PROTOCOL"]);
  assert.match(first!.reason, /malformed control packet/);
  assert.equal(second!.code, "ERR_APP_PROTOCOL");
  assert.match(second!.reason, /99/);
  assert.deepEqual([last!.code, last!.reason], ["", "its process ended or closed"]);
  assert.ok(Math.abs(Date.parse(last!.at) - Date.now()) < 60_000);
});

describe("control packets", () => {
  const hello = { op: "hello", version: CONTROL_VERSION, name: "h", library: "h", thread: 0 };
  const cases: [string, unknown, RegExp][] = [
    ["no JSON", Buffer.from("{nope"), /not JSON/],
    ["no object", Buffer.from("[]"), /malformed control packet/],
    ["bytes", Buffer.from([0xff, 0xfe, 0]), /not JSON/],
    ["an unknown operation", { op: "sudo" }, /malformed control packet/],
    ["an unknown key", { ...hello, uid: 0 }, /malformed control packet/],
    ["a wrong type", { ...hello, name: 7 }, /malformed control packet.*name/],
    ["a name without end", { ...hello, name: "x".repeat(300) }, /malformed control packet.*name/],
    [
      "no hello",
      { op: "bind", seq: 1, target: "a", service: "b", hash: "0".repeat(64), schemaBytes: 1 },
      /no hello/,
    ],
    ["more than fits", Buffer.alloc(80_000, 0x20), /larger than/],
  ];
  for (const [what, packet, reason] of cases) {
    test(`${what} as the first packet`, async (t) => {
      const app = openHostileApp(t, daemon);
      app.packet(packet);
      await assertEnded(app, "ERR_APP_PROTOCOL", reason);
    });
    if (what === "no hello") continue;
    test(`${what} after hello`, async (t) => {
      const app = await openHostileApp(t, daemon).hello();
      app.packet(packet);
      await assertEnded(app, "ERR_APP_PROTOCOL", reason);
    });
  }
  test("a second hello", async (t) => {
    const app = await openHostileApp(t, daemon).hello();
    app.packet(hello);
    await assertEnded(app, "ERR_APP_PROTOCOL", /second hello/);
  });
  test("a version from the future", async (t) => {
    const app = openHostileApp(t, daemon);
    app.packet({ ...hello, version: 99 });
    await assertEnded(app, "ERR_APP_VERSION", /version 99/);
  });
  test("giving back a region that is not there", async (t) => {
    for (const region of [0, 1, 32768]) {
      const app = await openHostileApp(t, daemon).hello();
      app.packet({ op: "shrink", region });
      await assertEnded(app, "ERR_APP_PROTOCOL", /can't be given back/);
    }
  });
  test("descriptors that nobody asked for are closed", async (t) => {
    const app = await openHostileApp(t, daemon).hello();
    const count = countDescriptors(daemon.pid);
    const fd = regionCreate("unwanted", 4096);
    for (let i = 0; i < 50; i++)
      app.packet({ op: "unserve", seq: i, export: i }, new Array(16).fill(fd));
    closeFd(fd);
    for (let i = 0; i < 50; i++) await app.expect("unserved");
    await until("the same descriptors as before", () => countDescriptors(daemon.pid) === count);
    await pair.check();
  });
});

describe("schemas", () => {
  const good = depotSchema.descriptorSet;
  const cyclic = toBinary(
    FileDescriptorSetSchema,
    create(FileDescriptorSetSchema, {
      file: ["a", "b"].map((name) =>
        create(FileDescriptorProtoSchema, {
          name,
          syntax: "proto3",
          dependency: [name === "a" ? "b" : "a"],
          service: name === "a" ? [{ name: "S" }] : [],
        }),
      ),
    }),
  );
  const refusals: [string, (app: HostileApp) => void, RegExp][] = [
    ["garbage", (app) => register(app, Buffer.from("\xff\xff\xffgarbage", "latin1")), /./],
    ["half a schema", (app) => register(app, good.subarray(0, good.length >> 1)), /./],
    ["imports in a circle", (app) => register(app, cyclic, { service: "S" }), /./],
    ["a service that is not in it", (app) => register(app, good, { service: "a.B" }), /a\.B/],
    ["another hash", (app) => register(app, good), /hash/],
    ["more than the limit", (app) => register(app, good, { schemaBytes: 70_000 }), /raise schema/],
    [
      "more than there is",
      (app) => register(app, good, { schemaBytes: good.length + 1 }),
      /does not hold/,
    ],
    ["no descriptor", (app) => void app.packet(request(good.length)), /one memfd/],
    ["two descriptors", (app) => sendFds(app, [schemaFile(good), schemaFile(good)]), /one memfd/],
    ["a folder", (app) => sendFds(app, [openSync("/tmp", "r")]), /./],
    ["/dev/zero", (app) => sendFds(app, [openSync("/dev/zero", "r")]), /./],
    ["a pipe", (app) => sendFds(app, [...unixPair(1).slice(0, 1)]), /./],
    ["a file of /proc", (app) => sendFds(app, [openSync("/proc/self/maps", "r")]), /./],
    ["a file that can't be read", (app) => sendFds(app, [openSync(createWriteOnly(), "w")]), /./],
  ];
  for (const [what, send, reason] of refusals) {
    test(`${what} is refused, and the app may go on`, async (t) => {
      const app = await openHostileApp(t, daemon).hello();
      send(app);
      const { message } = await app.expect("refused");
      assert.match(message.message, reason);
      assert.match(message.code, /^ERR_/);
      assert.equal(typeof (await app.bind("healthy", depotSchema)), "number");
      await pair.check();
    });
  }
  test("more bindings and services than allowed", async (t) => {
    const app = await openHostileApp(t, daemon).hello();
    for (let i = 0; i < 8; i++) {
      await app.bind(`t${i}`, depotSchema);
      await app.serve(`s${i}`, depotSchema);
    }
    app.register("bind", { target: "t" }, depotSchema);
    assert.match((await app.expect("refused")).message.message, /services_per_app/);
    app.register("serve", { name: "s" }, depotSchema);
    assert.match((await app.expect("refused")).message.message, /services_per_app/);
    await pair.check();
  });

  function request(schemaBytes: number, overrule: object = {}): object {
    const hash = "ab".repeat(32);
    return {
      op: "bind",
      seq: 1,
      target: "t",
      service: "faults.v1.Depot",
      hash,
      schemaBytes,
      ...overrule,
    };
  }
  function register(app: HostileApp, bytes: Uint8Array, overrule: object = {}): void {
    const fd = schemaFile(bytes);
    app.packet(request(bytes.length, overrule), [fd]);
    closeFd(fd);
  }
  function sendFds(app: HostileApp, fds: number[]): void {
    app.packet(request(good.length), fds);
    fds.forEach(closeFd);
  }
  function createWriteOnly(): string {
    const fd = schemaFile(good);
    atEnd({ after: (action) => suite.push(action) }, () => closeFd(fd));
    return `/proc/self/fd/${fd}`;
  }
});

describe("slots", () => {
  const call = (change: Record<number, number>, reason: RegExp) => ({ change, reason });
  const cases: Record<string, { change: Record<number, number>; reason: RegExp }> = {
    "kind 0": call({ [W_KIND]: 0 }, /kind 0/),
    "kind 255": call({ [W_KIND]: 255 }, /kind 255/),
    "a binding that is not there": call({ [W_TARGET]: 99 }, /binding 99/),
    "a negative binding": call({ [W_TARGET]: -1 }, /binding -1/),
    "a method that is not there": call({ [W_KIND]: SlotKind.CALL | (9 << 16) }, /method 9/),
    "a call id beyond the limit": call({ [W_CALL]: 0xfffff }, /call id/),
    "no block": call({ [W_KIND]: SlotKind.CALL | (SlotFlag.NO_BLOCK << 8) }, /without a message/),
    "no message": call({ [W_INLINE_LENGTH]: 0 }, /without a message/),
    "a region that is not there": call({ [W_BLOCK_TAG]: 7 << 16 }, /region 7/),
    "a negative region": call({ [W_BLOCK_TAG]: -1 }, /region 65535/),
    "an offset beyond the region": call({ [W_BLOCK_OFFSET]: 0x7ffffff8 }, /ends at/),
    "a negative offset": call({ [W_BLOCK_OFFSET]: -8 }, /offset -8/),
    "a crooked offset": call({ [W_BLOCK_OFFSET]: 4 }, /offset 4/),
    "a length beyond the region": call({ [W_INLINE_LENGTH]: 0x7ffffff8 }, /ends at/),
    "a negative length": call({ [W_INLINE_LENGTH]: -8 }, /inline length -8/),
    "a crooked length": call({ [W_INLINE_LENGTH]: 12 }, /inline length 12/),
    "too many segments": call({ [W_SEGMENT_COUNT]: 65 }, /65 segments/),
    "negative segments": call({ [W_SEGMENT_COUNT]: -1 }, /-1 segments/),
    "segment bytes without segments": call({ [W_SEGMENT_BYTES]: 8 }, /without segments/),
    "other segment bytes": call({ [W_SEGMENT_COUNT]: 1, [W_SEGMENT_BYTES]: 16 }, /segment/),
    "too much metadata": call({ [W_METADATA_LENGTH]: 1 << 20 }, /metadata/),
    "negative metadata": call({ [W_METADATA_LENGTH]: -1 }, /metadata/),
    "a release of what is not in use": call(
      {
        [W_KIND]: SlotKind.CALL | (SlotFlag.RELEASES << 8),
        [W_RELEASED_TAG]: 1,
        [W_RELEASED_OFFSET]: 0,
      },
      /not in use/,
    ),
    "a reply to a call that is not open": call(
      { [W_KIND]: SlotKind.REPLY, [W_CALL]: 0x00100000 },
      /not open/,
    ),
    "a release of too many": call({ [W_KIND]: SlotKind.RELEASE | (8 << 16) }, /release of 8/),
    "a release of a wild block": call(
      { [W_KIND]: SlotKind.RELEASE | (1 << 16), 1: -1, 2: -1 },
      /not in use/,
    ),
    "a message that is no message": call(
      { [W_BLOCK_OFFSET]: 1 << 20, [W_INLINE_LENGTH]: 64 },
      /malformed/,
    ),
  };
  for (const [what, { change, reason }] of Object.entries(cases)) {
    test(what, async (t) => {
      const { app, call: valid } = await caller(t);
      app.sendHeap.u8.fill(0xff, 1 << 20, (1 << 20) + 64);
      app.slot({ ...valid, ...change });
      app.ring();
      await assertEnded(app, "ERR_APP_PROTOCOL", reason);
    });
  }

  test("the same call id twice", async (t) => {
    const { app, call: valid } = await caller(t);
    app.slot(valid);
    app.slot(valid);
    app.ring();
    await assertEnded(app, "ERR_APP_PROTOCOL", /in use/);
  });

  test("a cancellation of nothing is no crime", async (t) => {
    const { app, call: valid } = await caller(t);
    for (const id of [0, 5, -1, 0x7fffffff]) app.slot({ [W_KIND]: SlotKind.CANCEL, [W_CALL]: id });
    app.slot(valid);
    app.ring();
    const reply = await app.received();
    assert.equal(reply[W_KIND]! & 0xff, SlotKind.REPLY);
    assert.equal(reply[W_STATUS]! & 0xff, 0);
  });

  test("a block that is released twice", async (t) => {
    const { app, call: valid } = await caller(t);
    app.slot(valid);
    app.ring();
    const reply = await app.received();
    const release = {
      [W_KIND]: SlotKind.RELEASE | (1 << 16),
      1: reply[W_BLOCK_TAG]!,
      2: reply[W_BLOCK_OFFSET]!,
    };
    app.slot(release);
    app.slot(release);
    app.ring();
    await assertEnded(app, "ERR_APP_PROTOCOL", /not in use/);
  });

  for (const [what, offset, value] of [
    ["tail of the send ring", RING_TAIL_OFFSET, 0x7fffffff],
    ["tail of the send ring, going back", RING_TAIL_OFFSET, -5],
    ["head of the receive ring", -1, 0x12345678],
  ] as const) {
    test(`an impossible ${what}`, async (t) => {
      const { app, call: valid } = await caller(t);
      const { ringsOffset, limits } = app.welcome;
      const at =
        ringsOffset + (offset >= 0 ? offset : ringBytes(limits.ringSlots) + RING_HEAD_OFFSET);
      if (offset < 0) {
        app.slot(valid);
        app.producer.publish();
      }
      Atomics.store(app.sendHeap.i32, at >> 2, value);
      app.ring();
      await assertEnded(app, "ERR_APP_PROTOCOL", /impossible/);
    });
  }

  test("a message and a segment table that change while they are read", async (t) => {
    // Nothing can be said about what comes of each call; but nobody crashes and nobody else notices.
    for (let round = 0; round < 5; round++) {
      const { app, call: valid, inline } = await caller(t);
      const words = app.sendHeap.i32;
      const table = inline >> 2;
      for (let i = 0; i < 200; i++) {
        app.slot({ ...valid, [W_CALL]: i, [W_SEGMENT_COUNT]: 1, [W_SEGMENT_BYTES]: 64 });
      }
      app.ring();
      for (let i = 0; i < 20_000; i++) {
        words[table + 2] = i & 1 ? 64 : 0x7fffffff;
        words[table + 1] = i & 2 ? 1 << 16 : -8;
        words[2] = i & 4 ? 0 : -1;
      }
      app.close();
    }
    await pair.check();
  });
});

describe("replies of a server", () => {
  const good: Record<number, number> = { [W_KIND]: SlotKind.REPLY, [W_BLOCK_OFFSET]: 0 };
  const cases: Record<string, { change: Record<number, number>; reason: RegExp }> = {
    "malformed message": {
      change: { [W_INLINE_LENGTH]: 64, [W_BLOCK_OFFSET]: 1 << 20 },
      reason: /malformed/,
    },
    "OK without a message": {
      change: { [W_KIND]: SlotKind.REPLY | (SlotFlag.NO_BLOCK << 8) },
      reason: /without a message/,
    },
    "OK with an empty message": { change: { [W_INLINE_LENGTH]: 0 }, reason: /without a message/ },
    "status message without end": {
      change: { [W_STATUS]: 5, [W_MESSAGE_LENGTH]: 5000 },
      reason: /status message/,
    },
    "details without end": {
      change: { [W_STATUS]: 5, [W_DETAILS_LENGTH]: 20_000 },
      reason: /details/,
    },
    "block that is not there": { change: { [W_BLOCK_TAG]: 3 << 16 }, reason: /region 3/ },
  };
  for (const [what, { change, reason }] of Object.entries(cases)) {
    test(what, async (t) => {
      const app = await openHostileApp(t, daemon).hello("hostile-server");
      const name = `h${Math.random()}`;
      await app.serve(name, depotSchema);
      const outcome = outcomeOf(depotOf(await attachHere(t, daemon, "victim"), name).echo({}));
      const slot = await app.received();
      app.sendHeap.u8.fill(0xff, 1 << 20, (1 << 20) + 64);
      app.slot({ ...good, [W_CALL]: slot[W_CALL]!, ...change });
      app.ring();
      await assertEnded(app, "ERR_APP_PROTOCOL", reason);
      assert.match(await outcome, /^(INTERNAL|UNAVAILABLE)\/remote-app$/);
    });
  }
  test("two replies to one call", async (t) => {
    const app = await openHostileApp(t, daemon).hello("hostile-server");
    await app.serve("twice", depotSchema);
    const outcome = outcomeOf(depotOf(await attachHere(t, daemon, "victim"), "twice").echo({}));
    const slot = await app.received();
    const reply = { ...good, [W_CALL]: slot[W_CALL]!, [W_STATUS]: 5 };
    app.slot(reply);
    app.slot(reply);
    app.ring();
    await assertEnded(app, "ERR_APP_PROTOCOL", /not open/);
    assert.equal(await outcome, "NOT_FOUND/remote-app");
  });
});

describe("memory", () => {
  test("the receive heap can't be written, and no region changes its size", async (t) => {
    const app = await openHostileApp(t, daemon).hello();
    const { fd: receive, bytes } = await app.receiveRegion(depotSchema);
    assert.throws(() => regionMap(receive, bytes, true), { code: "EPERM" });
    assert.throws(() => writeSync(receive, Buffer.from("x"), 0, 1, 0), /EPERM|EBADF/);
    assert.throws(() => {
      const again = openSync(`/proc/self/fd/${receive}`, "r+");
      try {
        regionMap(again, bytes, true);
      } finally {
        closeFd(again);
      }
    }, /EPERM|EACCES/);
    const again = openSync(`/proc/self/fd/${receive}`, "r+");
    assert.throws(() => writeSync(again, Buffer.from("x"), 0, 1, 0), /EPERM/);
    closeFd(again);
    for (const fd of [app.fds[0]!, receive]) {
      assert.throws(() => ftruncateSync(fd, 0), /EPERM/);
      assert.throws(() => ftruncateSync(fd, 1 << 30), /EPERM/);
    }
    await pair.check();
  });

  test("mprotect does not make the receive heap writable, and holes can't be punched", async (t) => {
    const app = await openHostileApp(t, daemon).hello();
    const { fd } = await app.receiveRegion(depotSchema);
    const result = spawnSync("python3", ["-c", mprotectProgram], {
      stdio: ["ignore", "pipe", "inherit", fd],
    });
    if (result.error !== undefined) return t.skip("no python3 here to call mprotect with");
    assert.equal(result.stdout.toString().trim(), "mprotect EACCES, punch EPERM");
  });
});

test("all of it comes back", async () => {
  const names = ["hostile", "victim", "hostile-server"];
  await until("the hostile apps' memory", async () => {
    const { runtimes } = await daemon.status();
    return !runtimes.some(({ apps }) => apps.some(({ name }) => names.includes(name)));
  });
  // Two apps are left; each has rings, one region a heap, and as many more as its messages needed.
  assert.ok(countMemfds(daemon.pid) <= 20, `${countMemfds(daemon.pid)} memfds`);
  assert.ok(countMappings(daemon.pid) <= 20, `${countMappings(daemon.pid)} mappings`);
  assert.equal((await daemon.status()).counters.apps, 2);
  for (const action of suite.reverse()) await action();
});

const mprotectProgram = `
import ctypes, errno, mmap
libc = ctypes.CDLL(None, use_errno=True)
libc.mmap.restype = ctypes.c_void_p
libc.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int, ctypes.c_int, ctypes.c_int, ctypes.c_long]
libc.mprotect.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]
libc.fallocate.argtypes = [ctypes.c_int, ctypes.c_int, ctypes.c_long, ctypes.c_long]
at = libc.mmap(None, 4096, mmap.PROT_READ, mmap.MAP_SHARED, 3, 0)
def name(result): return "done" if result == 0 else errno.errorcode[ctypes.get_errno()]
print("mprotect", name(libc.mprotect(at, 4096, mmap.PROT_READ | mmap.PROT_WRITE)) + ",", "punch", name(libc.fallocate(3, 3, 0, 4096)))
`;
