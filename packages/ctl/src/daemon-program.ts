/**
 * Where koalad is. koalactl does not depend on it: it starts it, as anybody would. The one that the project
 * has installed comes first, then the one beside koalactl, then the one in PATH.
 */
import { accessSync, constants, statSync } from "node:fs";
import { createRequire } from "node:module";
import { delimiter, join, resolve } from "node:path";
import { KoalaError } from "@koala/interface";

/** A command line without its arguments. */
export type ProgramStart = readonly [command: string, ...first: string[]];

const moduleName = "@koala/daemon/main";

/** How to start koalad from `folder`; undefined when there is none. */
export function findDaemonProgram(
  folder: string,
  env: NodeJS.ProcessEnv,
): ProgramStart | undefined {
  const bases = [resolve(folder, "package.json"), import.meta.url];
  for (const base of bases) {
    try {
      return [process.execPath, createRequire(base).resolve(moduleName)];
    } catch {
      // Not installed there; it may be elsewhere.
    }
  }
  const inPath = findInPath("koalad", env["PATH"] ?? "");
  return inPath === undefined ? undefined : [inPath];
}

/** As `findDaemonProgram`; throws `ERR_CTL_NO_PROGRAM` when there is none. */
export function requireDaemonProgram(folder: string, env: NodeJS.ProcessEnv): ProgramStart {
  const found = findDaemonProgram(folder, env);
  if (found !== undefined) return found;
  throw new KoalaError("ERR_CTL_NO_PROGRAM", `koalad is not installed: ${installDaemon}`);
}

/** The command that installs koalad. */
export const installDaemon = "npm install --save-dev @koala/daemon";

/** Where a program is, by PATH. */
export function findInPath(name: string, path: string): string | undefined {
  const folders = path.split(delimiter).filter((folder) => folder !== "");
  return folders.map((folder) => join(folder, name)).find(isProgram);
}

/** True for a file that this user may run. */
export function isProgram(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return statSync(file).isFile();
  } catch {
    return false;
  }
}
