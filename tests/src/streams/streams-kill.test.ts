/**
 * Ends of streams, and daemons between them, are killed in the middle: the others hear of it with the right status,
 * nothing of the streams is left, and new ones work.
 */
import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { describe, it } from "node:test";
import { type Mesh, type RpcError, Status } from "@koala/mrpc";
import { RELEASES_PER_SLOT } from "@koala/protocol";
import { type Child, type Ending, until } from "@koala/testing";
import { River } from "../gen/test/v1/river_pb.ts";
import { type Daemon, startApp, startDaemon } from "../stage/cluster.ts";
import { connectTo, startTopology, type Topology } from "../stage/kitchen.ts";
import { HandlerEnds, OpenStreams } from "../stage/open-streams.ts";

const config = '[link]\nreconnect_max = "500ms"';
const streamsOfCaller = 6;
const rounds = 3;
/** Of so many blocks an app says that they are free only with its next slots, one a slot. */
const releasesHeld = RELEASES_PER_SLOT - 1;
/** Name of what an app serves beside the river at each daemon, so that callers there can make calls at any time. */
const beside = "beside";

async function startEnd(t: Ending, daemon: Daemon, role: "serve" | "call"): Promise<Child> {
  const child = startApp(t, daemon, "river-end", [role]);
  await child.line(role === "serve" ? /^serving$/ : /^calling$/);
  return child;
}

/** A server in this process; the ends of its handlers. */
async function serveHere(t: Ending, daemon: Daemon): Promise<HandlerEnds> {
  const ends = new HandlerEnds();
  const mesh = await connectTo(t, daemon, { name: "server", log: () => {} });
  await mesh.serve({ name: "river" }, (router) => router.service(River, ends.impl));
  return ends;
}

async function callHere(t: Ending, daemon: Daemon): Promise<Mesh> {
  return await connectTo(t, daemon, { name: "caller", log: () => {}, waitMs: 60_000 });
}

/** Opens the six streams, as soon as somebody serves them. */
async function openFrom(mesh: Mesh): Promise<OpenStreams> {
  const river = mesh.client(River, "river");
  await until("a server", () =>
    river.still({}, { waitForReady: true, timeoutMs: 5000 }).then(
      () => true,
      ({ status }: RpcError) => {
        assert.equal(status, Status.UNAVAILABLE);
        return false;
      },
    ),
  );
  const streams = new OpenStreams(river);
  await streams.moving();
  return streams;
}

/** What of a daemon must not grow: descriptors, and the memory of apps that it has mapped. */
function holdingsOf(daemon: Daemon): number[] {
  const pid = daemon.currentPid();
  const maps = readFileSync(`/proc/${pid}/maps`, "utf8").split("\n");
  const regions = maps.filter((line) => line.includes("/memfd:koala-"));
  return [readdirSync(`/proc/${pid}/fd`).length, regions.length];
}

/** An app at a daemon that serves `beside` there, and calls others. */
async function startBeside(t: Ending, daemon: Daemon): Promise<Mesh> {
  const mesh = await connectTo(t, daemon, { name: "beside", log: () => {} });
  await mesh.serve({ name: beside }, (router) => router.service(River, new HandlerEnds().impl));
  return mesh;
}

/** Calls of an app that make it, and whoever serves them, say which blocks are free. */
type Says = readonly [mesh: Mesh, target: string];

/**
 * Streams without messages: their slots bring nobody a block, and each of them, on both sides, names one that is free.
 * Without them up to `releasesHeld` blocks of an app stay in use, whatever it did before.
 */
async function sayWhatIsFree([mesh, target]: Says): Promise<void> {
  for (let i = 0; i < releasesHeld; i++) {
    const options = { waitForReady: true, timeoutMs: 10_000 };
    for await (const _ of mesh.client(River, target).mirror([], options)) assert.fail("a message");
  }
}

/** Waits until nothing of a stream is left in daemons: calls, what waits, blocks. `says`: of all apps that stay. */
async function nothingIsLeft(daemons: ReadonlySet<Daemon>, ...says: Says[]): Promise<void> {
  for (const daemon of daemons) {
    let found = "";
    await until(`nothing left in ${daemon.name}`, async () => {
      for (const say of says) await sayWhatIsFree(say);
      const { runtimes } = await daemon.status();
      const apps = runtimes.flatMap((runtime) => runtime.apps);
      const left = {
        openCalls: runtimes.map(({ openCalls }) => openCalls),
        apps: apps.map(({ outgoing, incoming, parked, receiveBlocks }) => [
          outgoing,
          incoming,
          parked,
          // The block of the last reply is named by the next slot, of which there is none.
          Math.max(0, receiveBlocks - 1),
        ]),
        links: runtimes.flatMap(({ links }) => links.map(({ calls, parked }) => [calls, parked])),
      };
      found = JSON.stringify(left);
      return !/[1-9]/.test(found);
    }).catch((cause: unknown) => {
      throw new Error(`left in ${daemon.name}: ${found}`, { cause });
    });
  }
}

/** Waits until daemons hold no more than before. */
async function holdNoMore(before: ReadonlyMap<Daemon, number[]>): Promise<void> {
  for (const [daemon, then] of before) {
    let now: number[] = [];
    await until(`descriptors and regions of ${daemon.name}`, () => {
      now = holdingsOf(daemon);
      return now.every((count, i) => count <= then[i]!);
    }).catch((cause: unknown) => {
      throw new Error(`${daemon.name} held ${then}, and now ${now}`, { cause });
    });
  }
}

const allOf = ({ client, server }: Topology): Set<Daemon> => new Set([client, server]);

function assertFailures(failures: readonly RpcError[], origin: RegExp): void {
  assert.equal(failures.length, streamsOfCaller);
  for (const failure of failures) {
    assert.equal(failure.status, Status.UNAVAILABLE, failure.message);
    assert.match(failure.origin ?? "", origin, failure.message);
  }
}

/** Another one at the same place. */
async function restart(
  t: Ending,
  { name, prefix, address }: Daemon,
  peer?: Daemon,
): Promise<Daemon> {
  const peers = peer === undefined ? [] : [peer];
  return await startDaemon(t, { name, prefix, listen: address, peers, config });
}

for (const hosts of [1, 2]) {
  describe(`streams of which something is killed, ${hosts === 1 ? "one daemon" : "two daemons"}`, {
    timeout: 240_000,
  }, () => {
    it("the app that calls", async (t) => {
      const daemons = await startTopology(t, hosts, config);
      const ends = await serveHere(t, daemons.server);
      const mesh = await callHere(t, daemons.client);
      await (await openFrom(mesh)).leave();
      await nothingIsLeft(allOf(daemons), [mesh, "river"]);
      const before = new Map([...allOf(daemons)].map((daemon) => [daemon, holdingsOf(daemon)]));
      for (let round = 0; round < rounds; round++) {
        ends.reasons.length = 0;
        const child = await startEnd(t, daemons.client, "call");
        child.kill();
        for (const { status } of await ends.ended(streamsOfCaller)) {
          assert.equal(status, Status.CANCELLED);
        }
        await nothingIsLeft(allOf(daemons), [mesh, "river"]);
        await holdNoMore(before);
      }
      await (await openFrom(mesh)).leave();
      await nothingIsLeft(allOf(daemons), [mesh, "river"]);
    });

    it("the app that serves", async (t) => {
      const daemons = await startTopology(t, hosts, config);
      await startBeside(t, daemons.client);
      const mesh = await callHere(t, daemons.client);
      let before: Map<Daemon, number[]> | undefined;
      for (let round = 0; round < rounds; round++) {
        const child = await startEnd(t, daemons.server, "serve");
        const streams = await openFrom(mesh);
        child.kill();
        assertFailures(await streams.failures(), /^remote-app$/);
        await nothingIsLeft(allOf(daemons), [mesh, beside]);
        if (before !== undefined) await holdNoMore(before);
        await until("the app to be gone", async () => {
          const { runtimes } = await daemons.server.status();
          return !runtimes.some(({ apps }) =>
            apps.some(({ exports }) => exports.includes("river")),
          );
        });
        before ??= new Map([...allOf(daemons)].map((daemon) => [daemon, holdingsOf(daemon)]));
      }
      await startEnd(t, daemons.server, "serve");
      await (await openFrom(mesh)).leave();
      await nothingIsLeft(allOf(daemons), [mesh, "river"]);
    });

    it(hosts === 1 ? "the daemon" : "the daemon of the caller", async (t) => {
      const daemons = await startTopology(t, hosts, config);
      const ends = await serveHere(t, daemons.server);
      const mesh = await callHere(t, daemons.client);
      const streams = await openFrom(mesh);
      await daemons.client.kill();
      assertFailures(await streams.failures(), /^local-daemon$/);
      for (const { status } of await ends.ended(streamsOfCaller)) {
        assert.equal(status, hosts === 1 ? Status.UNAVAILABLE : Status.CANCELLED);
      }
      if (hosts === 2) {
        const there = await startBeside(t, daemons.server);
        await nothingIsLeft(new Set([daemons.server]), [there, "river"]);
      }
      const client = await restart(t, daemons.client, hosts === 1 ? undefined : daemons.server);
      await (await openFrom(mesh)).leave();
      const left = new Set(hosts === 1 ? [client] : [client, daemons.server]);
      await nothingIsLeft(left, [mesh, "river"]);
    });

    if (hosts === 1) return;
    it("the daemon of the server", async (t) => {
      const daemons = await startTopology(t, hosts, config);
      const ends = await serveHere(t, daemons.server);
      await startBeside(t, daemons.client);
      const mesh = await callHere(t, daemons.client);
      // Memory for what comes in is made with the first of it.
      await sayWhatIsFree([mesh, beside]);
      const streams = await openFrom(mesh);
      const before = holdingsOf(daemons.client);
      await daemons.server.kill();
      assertFailures(await streams.failures(), /^link$/);
      for (const { status } of await ends.ended(streamsOfCaller)) {
        assert.equal(status, Status.UNAVAILABLE);
      }
      await nothingIsLeft(new Set([daemons.client]), [mesh, beside]);
      const server = await restart(t, daemons.server);
      await (await openFrom(mesh)).leave();
      await nothingIsLeft(new Set([daemons.client, server]), [mesh, "river"]);
      await holdNoMore(new Map([[daemons.client, before]]));
    });
  });
}
