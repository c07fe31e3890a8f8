/** `koalactl init`: a service, a client and what they need, in a folder. Nothing that is there is touched. */
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { basename, dirname, join, relative, resolve } from "node:path";
import { KoalaError, messageOf } from "@koala/interface";
import type { Output } from "../output.ts";
import { printable } from "../table.ts";
import { devDependencies, manifestPath, runDependencies, templateFiles } from "./template.ts";

/** What was done, and what to do next. */
export interface InitAnswer {
  readonly folder: string;
  readonly written: readonly string[];
  /** Files that were there already. */
  readonly kept: readonly string[];
  /** Commands, in order. */
  readonly next: readonly string[];
  readonly notes: readonly string[];
}

/**
 * Writes the files that are missing; `koala` is the version of Koala that the project is to use.
 *
 * @throws KoalaError `ERR_CTL_WRITE` when a file can't be written
 */
export function initProject(folder: string, koala: string): InitAnswer {
  const root = resolve(folder);
  const written: string[] = [];
  const kept: string[] = [];
  for (const { path, text } of templateFiles(packageName(root), koala)) {
    (writeNew(join(root, path), text) ? written : kept).push(path);
  }
  const wasThere = kept.includes(manifestPath);
  const manifest = wasThere ? (readManifest(join(root, manifestPath)) ?? {}) : undefined;
  return {
    folder: root,
    written,
    kept,
    next: nextCommands(root, manifest, koala),
    notes: notesOn(manifest),
  };
}

/** A name that npm takes. */
function packageName(root: string): string {
  const name = basename(root)
    .toLowerCase()
    .replace(/[^a-z0-9._-]+/g, "-")
    .replace(/^[._-]+|[._-]+$/g, "");
  return name === "" ? "hello-koala" : name.slice(0, 200);
}

/** False when there is something at the path. */
function writeNew(path: string, text: string): boolean {
  try {
    mkdirSync(dirname(path), { recursive: true });
  } catch (cause) {
    throw writeError(dirname(path), cause);
  }
  try {
    writeFileSync(path, text, { flag: "wx" });
    return true;
  } catch (cause) {
    if (cause instanceof Error && "code" in cause && cause.code === "EEXIST") return false;
    throw writeError(path, cause);
  }
}

function writeError(path: string, cause: unknown): KoalaError {
  const text = `can't write ${path}: ${messageOf(cause)}; choose another folder, or make this one writable`;
  return new KoalaError("ERR_CTL_WRITE", text, { cause });
}

/** What a manifest that was there already says. */
interface Manifest {
  readonly type?: unknown;
  readonly dependencies?: Readonly<Record<string, unknown>>;
  readonly devDependencies?: Readonly<Record<string, unknown>>;
}

/** Undefined when it is no manifest. */
function readManifest(path: string): Manifest | undefined {
  try {
    const value: unknown = JSON.parse(readFileSync(path, "utf8"));
    return typeof value === "object" && value !== null ? value : undefined;
  } catch {
    return undefined; // npm says what is wrong with it
  }
}

function nextCommands(root: string, manifest: Manifest | undefined, koala: string): string[] {
  const way = relative(".", root);
  const enter = way === "" ? "" : `cd ${way} && `;
  if (manifest === undefined) {
    return [`${enter}npm install && npm run build`, "npm run dev", "npm run server"];
  }
  const known = { ...manifest.dependencies, ...manifest.devDependencies };
  const missing = (all: Record<string, string>): string[] =>
    Object.entries(all)
      .filter(([name]) => !Object.hasOwn(known, name))
      .map(([name, range]) => (range.startsWith("^") ? `${name}@${range}` : name));
  const run = missing(runDependencies(koala));
  const dev = missing(devDependencies(koala));
  const installs = [
    ...(run.length > 0 ? [`npm install ${run.join(" ")}`] : []),
    ...(dev.length > 0 ? [`npm install --save-dev ${dev.join(" ")}`] : []),
  ];
  const install = installs.length > 0 ? installs.join(" && ") : "npm install";
  return [`${enter}${install}`, "npx koalactl gen && npx tsc", "npx koalactl dev"];
}

function notesOn(manifest: Manifest | undefined): string[] {
  if (manifest === undefined || manifest.type === "module") return [];
  return [
    'package.json has no "type": "module": src/server.ts and src/client.ts are ES modules and need it',
  ];
}

/** Prints it. */
export function printInit(answer: InitAnswer, output: Output): void {
  if (output.format === "json") {
    output.json(answer);
    return;
  }
  for (const path of answer.written) output.line(`${output.paint("good", "wrote")}  ${path}`);
  for (const path of answer.kept) output.line(`kept   ${path}, which was there`);
  for (const note of answer.notes) output.note(note);
  output.line("");
  output.line("next:");
  for (const command of answer.next) output.line(`  ${printable(command)}`);
}
