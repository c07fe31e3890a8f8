/**
 * Files that tables of policies name, rules of an acl for instance. They are read by the main thread when a
 * path is named first and whenever koala.toml is applied; what was in them is a part of the revision. So all
 * runtimes have the same text, and a revision is restored with the texts that it had.
 */
import { createHash } from "node:crypto";
import { messageOf } from "@koala/interface";
import { type PolicyDefinition, readConfigFile } from "@koala/policy";
import type { PolicyProblem } from "../config/index.ts";

/** What counts of a file, and what lay on disk when that was settled. */
export interface FileText {
  readonly text: string;
  /** Hash of the file on disk; other than that of `text` after a rollback. */
  readonly disk: string;
}

/** By path. */
export type FileTexts = Readonly<Record<string, FileText>>;

type Table = Readonly<Record<string, unknown>>;

/** The texts of the files that a table names: those of `known`, or what is there now. */
export function readFilesOf(
  { fileKeys = [] }: PolicyDefinition,
  table: Table,
  known: FileTexts,
): { files: FileTexts } | { problems: PolicyProblem[] } {
  const files: Record<string, FileText> = {};
  const problems: PolicyProblem[] = [];
  for (const key of fileKeys) {
    const path = table[key];
    // What is no path is the business of the table's type.
    if (typeof path !== "string") continue;
    try {
      files[path] = known[path] ?? readNow(path);
    } catch (error) {
      problems.push({ path: [key], message: messageOf(error) });
    }
  }
  return problems.length > 0 ? { problems } : { files };
}

/** The table with path and text in the place of each path, as the policy's type takes it. */
export function withTexts(
  { fileKeys = [] }: Pick<PolicyDefinition, "fileKeys">,
  table: Table,
  files: FileTexts,
): Table {
  const pairs = fileKeys.flatMap((key) => {
    const path = table[key];
    const file = typeof path === "string" ? files[path] : undefined;
    return file === undefined ? [] : [[key, { path, text: file.text }] as const];
  });
  return pairs.length === 0 ? table : { ...table, ...Object.fromEntries(pairs) };
}

/** Those of which nothing else lies on disk than when they were settled. */
export function withoutChanged(files: FileTexts): FileTexts {
  return Object.fromEntries(
    Object.entries(files).filter(([path, { disk }]) => hashOnDisk(path) === disk),
  );
}

/** The same texts, settled now, whatever lies on disk. */
export function settledNow(files: FileTexts): FileTexts {
  return Object.fromEntries(
    Object.entries(files).map(([path, { text }]) => [path, { text, disk: hashOnDisk(path) }]),
  );
}

/** Whether two sets of files have the same texts. */
export function haveSameTexts(a: FileTexts, b: FileTexts): boolean {
  const paths = new Set([...Object.keys(a), ...Object.keys(b)]);
  return [...paths].every((path) => a[path]?.text === b[path]?.text);
}

/** For people: tells two texts apart. */
export function hashOfText(text: string): string {
  return createHash("sha256").update(text).digest("hex").slice(0, 16);
}

function readNow(path: string): FileText {
  const { text } = readConfigFile(path);
  return { text, disk: hashOfText(text) };
}

/** "" for a file that can't be read. */
function hashOnDisk(path: string): string {
  try {
    return readNow(path).disk;
  } catch {
    return "";
  }
}
