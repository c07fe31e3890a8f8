/** A system of Koala whose programs note trace points, and what they have noted. */
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { KoalaError } from "@koala/interface";
import { readTraceFile } from "@koala/shm";
import type { Stage } from "../processes/stage.ts";
import { type Host, startApps, startHost } from "../systems/koala.ts";
import type { RunningSystem } from "../systems/system.ts";
import { linkedWay, localWay, type Place, type PlacedNote, type Way } from "./way.ts";

/** What can be traced: the names of the systems without trace points. */
export const tracedNames: readonly string[] = ["koala-tcp", "koala-local"];

export class TracedSystem {
  readonly running: RunningSystem;
  readonly hosts: readonly Host[];
  readonly way: Way;
  private readonly folder: string;
  private readonly places: ReadonlyMap<string, Place>;
  /** Notes that were there at the last look, by file. */
  private readonly seen = new Map<string, number>();

  private constructor(running: RunningSystem, hosts: readonly Host[], way: Way, folder: string) {
    this.running = running;
    this.hosts = hosts;
    this.way = way;
    this.folder = folder;
    const daemons: readonly Place[] = ["near", "far"];
    this.places = new Map<string, Place>([
      [String(running.client.pid), "client"],
      [String(running.server.pid), "server"],
      ...hosts.map(({ daemon }, i) => [String(daemon.pid), daemons[i]!] as const),
    ]);
  }

  static async start(
    stage: Stage,
    name: string,
    more: Readonly<Record<string, string>> = {},
  ): Promise<TracedSystem> {
    const folder = stage.folder(`${name}-trace`);
    const env = { ...more, KOALA_TRACE: folder };
    if (name === "koala-local") {
      const host = await startHost(stage, `${name} traced daemon`, [], "", env);
      const running = await startApps(stage, `${name} traced`, host, host, [], env);
      return new TracedSystem(running, [host], localWay, folder);
    }
    const far = await startHost(stage, `${name} traced daemon B`, [], "", env);
    const near = await startHost(stage, `${name} traced daemon A`, [far], "", env);
    const running = await startApps(stage, `${name} traced`, near, far, [], env);
    return new TracedSystem(running, [near, far], linkedWay, folder);
  }

  /** The notes since the last look, as far as they have been kept. */
  takeNotes(): PlacedNote[] {
    const found: PlacedNote[] = [];
    for (const name of readdirSync(this.folder)) {
      const place = this.places.get(name.split("-")[0]!);
      if (place === undefined) {
        throw new KoalaError(
          "ERR_BENCH_PROGRAM",
          `${name} was noted by a program that is not known`,
        );
      }
      const { count, notes } = readTraceFile(join(this.folder, name));
      const isNew = count - (this.seen.get(name) ?? 0);
      this.seen.set(name, count);
      for (const note of notes.slice(-isNew || notes.length)) found.push({ ...note, place });
    }
    return found;
  }
}
