/**
 * Apps that break the rules where another daemon would notice: it is the app that ends, never the link,
 * which others share.
 */
import assert from "node:assert/strict";
import { before, test } from "node:test";
import { create } from "@bufbuild/protobuf";
import {
  SEGMENT_ROW_BYTES,
  SEGMENTS_MAX,
  SlotFlag,
  SlotKind,
  W_BLOCK_OFFSET,
  W_BLOCK_TAG,
  W_CALL,
  W_INLINE_LENGTH,
  W_KIND,
  W_SEGMENT_BYTES,
  W_SEGMENT_COUNT,
  W_STATUS,
  W_TARGET,
} from "@koala/protocol";
import { countDescriptors, until } from "@koala/testing";
import { type Cluster, startCluster } from "../stage/cluster.ts";
import { attachHere, type HealthyPair, startHealthyPair } from "../stage/faults-pair.ts";
import {
  depotOf,
  depotSchema,
  depotService,
  ECHO,
  outcomeOf,
  serveDepot,
} from "../stage/faults-service.ts";
import { type HostileApp, openHostileApp } from "../stage/hostile-app-helper.ts";

let cluster: Cluster;
let pair: HealthyPair;
const suite: (() => unknown)[] = [];
const ending = { after: (action: () => void | Promise<void>) => void suite.push(action) };

before(async () => {
  cluster = await startCluster(ending);
  pair = await startHealthyPair(ending, cluster.a, cluster.b);
  await serveDepot(await attachHere(ending, cluster.b, "bystander"), "bystander");
});

async function assertLinkIsUp(): Promise<void> {
  await pair.check();
  for (const { log } of [cluster.a, cluster.b]) assert.doesNotMatch(log(), /link down/);
}

/** Writes an empty parcel at an offset of the send heap; returns its inline length. */
function writeParcel(app: HostileApp, offset: number): number {
  const { input } = depotSchema.methods[ECHO]!;
  const parcel = create(depotService.methods[ECHO]!.input, { amount: 1 } as never);
  return input.write(parcel, app.sendHeap, offset, offset + 4096, { add: () => -1 });
}

for (const [what, change] of [
  ["OK without a block", { [W_KIND]: SlotKind.REPLY | (SlotFlag.NO_BLOCK << 8) }],
  ["OK with an empty message", { [W_INLINE_LENGTH]: 0 }],
  ["a malformed message", { [W_INLINE_LENGTH]: 64, [W_BLOCK_OFFSET]: 1 << 20 }],
] as const) {
  test(`a server over there replies ${what}`, async (t) => {
    const app = await openHostileApp(t, cluster.b).hello("hostile-server");
    const name = `far ${what}`;
    await app.serve(name, depotSchema);
    app.sendHeap.u8.fill(0xff, 1 << 20, (1 << 20) + 64);
    const depot = depotOf(await attachHere(t, cluster.a, "victim"), name);
    const outcome = outcomeOf(depot.echo({}, { waitForReady: true, timeoutMs: 10_000 }));
    const call = await app.received();
    app.slot({ [W_KIND]: SlotKind.REPLY, [W_CALL]: call[W_CALL]!, ...change });
    app.ring();
    assert.equal((await app.end()).code, "ERR_APP_PROTOCOL");
    assert.match(await outcome, /^(INTERNAL|UNAVAILABLE)\/remote-app$/);
    await assertLinkIsUp();
  });
}

test("as many segments as there can be, in as many calls as fit", async (t) => {
  const app = await openHostileApp(t, cluster.a).hello();
  const binding = await app.bind("bystander", depotSchema);
  const inline = writeParcel(app, 0);
  for (let i = 0; i < SEGMENTS_MAX; i++) {
    const row = (inline + i * SEGMENT_ROW_BYTES) >> 2;
    app.sendHeap.i32.set([0, 4096, 1 + (i % 7), 0], row);
  }
  for (let id = 0; id < 500; id++) {
    app.slot({
      [W_KIND]: SlotKind.CALL | (ECHO << 16),
      [W_CALL]: id,
      [W_TARGET]: binding,
      [W_INLINE_LENGTH]: inline,
      [W_SEGMENT_COUNT]: SEGMENTS_MAX,
      [W_SEGMENT_BYTES]: 8 * SEGMENTS_MAX,
    });
  }
  app.ring();
  await app.received();
  await assertLinkIsUp();
});

test("a region that is given back while the link sends from it", async (t) => {
  const mappings = countDescriptors(cluster.a.pid, /koala-send/);
  for (let round = 0; round < 5; round++) {
    const app = await openHostileApp(t, cluster.a).hello();
    const binding = await app.bind("bystander", depotSchema);
    app.packet({ op: "grow", seq: 77, bytes: 30 << 20 });
    const { message, fds } = await app.expect("region");
    const inline = writeParcel(app, 0);
    app.sendHeap.i32.set([message.id << 16, 0, 20 << 20, 0], inline >> 2);
    for (let id = 0; id < 8; id++) {
      app.slot({
        [W_KIND]: SlotKind.CALL | (ECHO << 16),
        [W_CALL]: id,
        [W_TARGET]: binding,
        [W_BLOCK_TAG]: 0,
        [W_INLINE_LENGTH]: inline,
        [W_SEGMENT_COUNT]: 1,
        [W_SEGMENT_BYTES]: 20 << 20,
      });
    }
    app.ring();
    await until("its calls on the link", async () => {
      const { runtimes } = await cluster.a.status();
      return runtimes[0]!.apps.some(({ name, outgoing }) => name === "hostile" && outgoing > 0);
    });
    app.packet({ op: "shrink", region: message.id });
    app.fds.push(...fds);
    await assertLinkIsUp();
    app.close();
  }
  await until("the regions", () => countDescriptors(cluster.a.pid, /koala-send/) <= mappings);
  await assertLinkIsUp();
});

test("names that make the list of services larger than a frame", async (t) => {
  const apps: HostileApp[] = [];
  for (let i = 0; i < 2; i++) {
    const app = await openHostileApp(t, cluster.b).hello();
    apps.push(app);
    for (let n = 0; n < 256; n++) await app.serve(`${n}${"\u0001".repeat(250)}`, depotSchema);
  }
  await assertLinkIsUp();
  for (const app of apps) app.close();
  // Whoever comes now is still announced.
  await serveDepot(await attachHere(t, cluster.b, "late"), "late");
  const depot = depotOf(await attachHere(t, cluster.a, "late-client"), "late");
  assert.equal(await outcomeOf(depot.echo({}, { waitForReady: true, timeoutMs: 10_000 })), "OK");
  await assertLinkIsUp();
});

test("a server over there breaks off with a status it made up", async (t) => {
  const app = await openHostileApp(t, cluster.b).hello("hostile-server");
  await app.serve("made-up", depotSchema);
  const depot = depotOf(await attachHere(t, cluster.a, "victim"), "made-up");
  const outcome = outcomeOf(depot.echo({}, { waitForReady: true, timeoutMs: 10_000 }));
  const call = await app.received();
  app.slot({
    [W_KIND]: SlotKind.REPLY | (SlotFlag.NO_BLOCK << 8),
    [W_CALL]: call[W_CALL]!,
    [W_STATUS]: 0xee,
  });
  app.ring();
  assert.equal(await outcome, "UNKNOWN/remote-app");
  await assertLinkIsUp();
});

test("the end", async () => {
  await assertLinkIsUp();
  for (const action of suite.reverse()) await action();
});
