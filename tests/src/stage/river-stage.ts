/** A river behind one or two daemons, for tests of what policies do to its streams. */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type Client, connect } from "@koala/mrpc";
import type { PolicySpec } from "@koala/protocol";
import { type Ending, until } from "@koala/testing";
import { type Drop, River } from "../gen/test/v1/river_pb.ts";
import { askAdmin } from "./admin.ts";
import { postAdmin } from "./admin-post.ts";
import { atEnd, createFolder, type Daemon, startCluster, startDaemon } from "./cluster.ts";

/** What a handler has seen of one call. */
export interface Seen {
  readonly texts: string[];
  /** The call has ended early for it. */
  aborted: boolean;
}

export interface RiverStage {
  readonly client: Daemon;
  readonly server: Daemon;
  readonly river: Client<typeof River>;
  /** Calls of `mirror` and `collect`, in order. */
  readonly seen: Seen[];
  /** Path of a file of code that both daemons may load. */
  readonly code: string;
  write(text: string): void;
  attach(daemon: Daemon, policy: PolicySpec): Promise<void>;
  detach(daemon: Daemon, name: string): Promise<void>;
  countersOf(daemon: Daemon, name: string): Promise<Record<string, number>>;
}

/** Starts daemons that may load `code`, and a river whose `mirror` answers when it has read everything. */
export async function startRiverStage(t: Ending, hosts: number, code: string): Promise<RiverStage> {
  const folder = createFolder(t);
  mkdirSync(folder, { recursive: true });
  const path = join(folder, "policy.js");
  writeFileSync(path, code);
  const config = `[modules]\ndirectories = [${JSON.stringify(folder)}]\n`;
  const { client, server } = await startHosts(t, hosts, config);
  const seen: Seen[] = [];
  await serve(t, server, seen);
  const mesh = await connect({ prefix: client.prefix, name: "rower" });
  atEnd(t, () => mesh.close({ graceMs: 0 }));
  const river = mesh.client(River, "river");
  await river.still({}, { waitForReady: true, timeoutMs: 20_000 });
  return {
    client,
    server,
    river,
    seen,
    code: path,
    write: (text) => writeFileSync(path, text),
    attach: async (daemon, policy) => {
      await postAdmin(daemon.prefix, "/v1/policies/attach", { policy });
    },
    detach: async (daemon, name) => {
      await postAdmin(daemon.prefix, "/v1/policies/detach", { name });
    },
    countersOf: async (daemon, name) => {
      const { policies } = await askAdmin(daemon.prefix, "/v1/policies");
      return policies.find((policy) => policy.name === name)?.counters ?? {};
    },
  };
}

async function startHosts(
  t: Ending,
  hosts: number,
  config: string,
): Promise<{ client: Daemon; server: Daemon }> {
  if (hosts === 1) {
    const daemon = await startDaemon(t, { config });
    return { client: daemon, server: daemon };
  }
  const { a, b } = await startCluster(t, { config });
  return { client: a, server: b };
}

async function serve(t: Ending, daemon: Daemon, seen: Seen[]): Promise<void> {
  const mesh = await connect({ prefix: daemon.prefix, name: "river" });
  atEnd(t, () => mesh.close({ graceMs: 0 }));
  const note = (signal: AbortSignal): Seen => {
    const entry: Seen = { texts: [], aborted: false };
    signal.addEventListener("abort", () => {
      entry.aborted = true;
    });
    seen.push(entry);
    return entry;
  };
  await mesh.serve({ name: "river" }, (router) =>
    router.service(River, {
      still: (drop) => drop,
      async *flow({ count }) {
        for (let i = 0; i < count; i++) yield { serial: BigInt(i) };
      },
      async collect(requests, { signal }) {
        const entry = note(signal);
        for await (const { text } of requests) entry.texts.push(text);
        return { count: entry.texts.length };
      },
      async *mirror(requests, { signal }) {
        const entry = note(signal);
        const drops: Drop[] = [];
        for await (const drop of requests) {
          entry.texts.push(drop.text);
          drops.push(drop);
        }
        yield* drops;
      },
    }),
  );
}

/** Waits until no call is open anywhere. */
export async function nothingIsOpen(...daemons: Daemon[]): Promise<void> {
  await until("no open calls", async () => {
    const all = await Promise.all(daemons.map((daemon) => daemon.status()));
    return all.flatMap(({ runtimes }) => runtimes).every(({ openCalls }) => openCalls === 0);
  });
}
