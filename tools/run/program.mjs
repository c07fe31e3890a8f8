import { existsSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { run } from "./child.mjs";
import { root } from "./root.mjs";
import { setUp } from "./set-up.mjs";
import { ToolError } from "./tool-error.mjs";

/**
 * Sets up, then runs one compiled program of the repository with this terminal as its own.
 *
 * @param {string} file relative to the repository
 * @param {string[]} args
 * @returns {Promise<number>}
 */
export async function runProgram(file, args) {
  await setUp();
  if (!existsSync(join(root, file))) {
    throw new ToolError(`${file} is not there: the source it is compiled from is missing.`);
  }
  return run(process.execPath, ["--enable-source-maps", file, ...args]);
}
