/** What every command begins with, and options that several have. */
import { readFileSync } from "node:fs";
import { KoalaError, messageOf } from "@koala/interface";
import { InvalidArgumentError, Option } from "commander";
import type { Output } from "./output.ts";

/** Folder of the daemon, and where results go. */
export interface Context {
  readonly prefix: string;
  /** What `--prefix` says. */
  readonly givenPrefix: string | undefined;
  readonly output: Output;
  /** Environment of the command. */
  readonly env: NodeJS.ProcessEnv;
  /** The user wants the command to end: Ctrl-C, SIGTERM. Asking for it takes these signals over. */
  readonly interrupted: () => AbortSignal;
}

/** Context of a command, once its options have been read. */
export type ContextOf = () => Context;

/** `--dry-run`. */
export function dryRunOption(): Option {
  return new Option("--dry-run", "say what would change, and change nothing");
}

/** For an option that takes a whole number. */
export function parseWhole(text: string): number {
  if (/^-?\d{1,15}$/.test(text)) return Number(text);
  throw new InvalidArgumentError("Expected a whole number.");
}

/** For an option that takes a whole number that is not negative. */
export function parseCount(text: string): number {
  if (/^\d{1,15}$/.test(text)) return Number(text);
  throw new InvalidArgumentError("Expected a whole number, 0 or more.");
}

/** Text of an option that may stand in a file: `@FILE`, or `-` for standard input. */
export function readText(data: string, what: string): string {
  if (data !== "-" && !data.startsWith("@")) return data;
  const path = data === "-" ? "/dev/stdin" : data.slice(1);
  try {
    return readFileSync(data === "-" ? 0 : path, "utf8");
  } catch (cause) {
    const text = `can't read ${what} from ${path}: ${messageOf(cause)}`;
    throw new KoalaError("ERR_CTL_USAGE", text, { cause });
  }
}
