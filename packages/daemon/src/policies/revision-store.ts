/**
 * The revisions of what runs, one file each in `<prefix>/revisions/`. The newest is what a restarted
 * daemon goes on with. A file is written beside and renamed, so a daemon that is killed leaves either all
 * of it or nothing.
 */
import {
  closeSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeSync,
} from "node:fs";
import { join } from "node:path";
import { KoalaError, messageOf } from "@koala/interface";
import type { Revision } from "@koala/protocol";
import { z } from "zod";
import type { DesiredState } from "./desired-state.ts";
import type { RevisedModule } from "./revised-modules.ts";

/** Older ones are removed. */
export const revisionsKept = 50;

/** A revision with what a restart needs. */
export interface StoredRevision extends Revision {
  /** Of the format of this file. */
  readonly format: 1;
  readonly state: DesiredState;
  /** The code that its policies ran, by `use`; missing in revisions that older daemons have written. */
  readonly modules?: Readonly<Record<string, RevisedModule>> | undefined;
  /** Of the policies in koala.toml at that time. */
  readonly fileHash: string;
}

const policySchema = z.object({
  name: z.string(),
  use: z.string(),
  match: z.record(z.string(), z.unknown()),
  order: z.number(),
  enabled: z.boolean(),
  onFailure: z.enum(["open", "closed"]),
  budgetMicros: z.number(),
  config: z.record(z.string(), z.unknown()),
});

const revisionSchema = z.object({
  format: z.literal(1),
  revision: z.number().int().min(1),
  time: z.string(),
  who: z.object({ uid: z.number(), pid: z.number(), via: z.string() }),
  summary: z.string(),
  policies: z.array(z.record(z.string(), z.unknown())),
  fileHash: z.string(),
  modules: z
    .record(z.string(), z.object({ version: z.string(), file: z.string(), code: z.string() }))
    .optional(),
  state: z.object({
    file: z.array(policySchema),
    attached: z.array(policySchema),
    detached: z.array(z.string()),
    changed: z.record(z.string(), policySchema.partial()),
    paths: z.record(z.string(), z.string()),
    files: z.record(z.string(), z.object({ text: z.string(), disk: z.string() })).default({}),
  }),
});

export class RevisionStore {
  private readonly folder: string;
  /** Oldest first. */
  private numbers: number[] = [];

  constructor(folder: string) {
    this.folder = folder;
  }

  /**
   * Looks at what there is; nothing is written before the first revision.
   *
   * @throws KoalaError `ERR_CONFIG_REVISION`
   */
  open(): void {
    this.numbers = readNumbers(this.folder);
  }

  /** Number of the newest; 0 when there is none. */
  get latest(): number {
    return this.numbers.at(-1) ?? 0;
  }

  /** Numbers, oldest first. */
  get all(): readonly number[] {
    return this.numbers;
  }

  /** @throws KoalaError `ERR_CONFIG_REVISION` when there is none of that number, or it can't be read. */
  read(revision: number): StoredRevision {
    if (!this.numbers.includes(revision)) {
      const range = `${this.numbers[0] ?? 0} to ${this.latest}`;
      const known = this.latest === 0 ? "There are none yet" : `There are ${range}`;
      throw new KoalaError("ERR_CONFIG_REVISION", `there is no revision ${revision}. ${known}`);
    }
    const path = this.pathOf(revision);
    try {
      // What the schema lets through is what `write` has written.
      return revisionSchema.parse(
        JSON.parse(readFileSync(path, "utf8")),
      ) as unknown as StoredRevision;
    } catch (cause) {
      throw new KoalaError(
        "ERR_CONFIG_REVISION",
        `${path}: not a revision: ${messageOf(cause)}. Remove the file to go on without it`,
        { cause },
      );
    }
  }

  /** @throws KoalaError `ERR_CONFIG_REVISION` when it can't be written; then nothing has changed. */
  write(revision: StoredRevision): void {
    const path = this.pathOf(revision.revision);
    try {
      mkdirSync(this.folder, { recursive: true, mode: 0o700 });
      const fd = openSync(`${path}.new`, "w", 0o600);
      try {
        writeSync(fd, `${JSON.stringify(revision, undefined, 2)}\n`);
        fsyncSync(fd);
      } finally {
        closeSync(fd);
      }
      renameSync(`${path}.new`, path);
    } catch (cause) {
      throw new KoalaError(
        "ERR_CONFIG_REVISION",
        `revision ${revision.revision} can't be kept: ${messageOf(cause)}. Make room, or let the daemon write to ${this.folder}`,
        { cause },
      );
    }
    this.numbers.push(revision.revision);
    for (const old of this.numbers.splice(0, Math.max(0, this.numbers.length - revisionsKept))) {
      rmSync(this.pathOf(old), { force: true });
    }
  }

  private pathOf(revision: number): string {
    return join(this.folder, `${String(revision).padStart(6, "0")}.json`);
  }
}

function readNumbers(folder: string): number[] {
  let names: string[];
  try {
    names = readdirSync(folder);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return [];
    throw new KoalaError("ERR_CONFIG_REVISION", `${folder}: ${messageOf(error)}`, { cause: error });
  }
  const numbers = names.flatMap((name) => {
    const digits = /^(\d{6,})\.json$/.exec(name)?.[1];
    return digits === undefined ? [] : [Number(digits)];
  });
  return numbers.sort((a, b) => a - b);
}
