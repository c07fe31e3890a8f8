/**
 * From whatever state a checkout is in to one that runs: packages installed, TypeScript compiled,
 * addon built. Shared by all verbs; does only what is needed and says only what it did.
 */
import { existsSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { capture } from "./child.mjs";
import { install } from "./install.mjs";
import { withLock } from "./lock.mjs";
import { root, workspaceFolders } from "./root.mjs";
import { step } from "./step.mjs";
import { ToolError } from "./tool-error.mjs";
import { requireCompilers } from "./toolchain.mjs";

/**
 * Everything that running something needs.
 *
 * @returns {Promise<void>}
 */
export async function setUp() {
  requireCompilers();
  await alone(async () => {
    await step("install packages", install);
    await step("compile", compile);
    await step("build the addon", buildAddon);
  });
}

/**
 * Everything that looking at the sources needs.
 *
 * @returns {Promise<void>}
 */
export async function setUpPackages() {
  await alone(() => step("install packages", install));
}

/** @param {() => Promise<void>} work */
function alone(work) {
  return withLock(join(root, ".cache/set-up.lock"), work, {
    onWait: (pid) =>
      process.stderr.write(
        `koala: waiting for process ${pid}, which is setting up this checkout\n`,
      ),
  });
}

/** @returns {Promise<string | undefined>} */
async function compile() {
  forgetLostOutput(root);
  const { code, output } = await capture(process.execPath, [
    "node_modules/typescript/bin/tsc",
    "-b",
    "--listEmittedFiles",
  ]);
  const lines = output.split("\n");
  const messages = lines.filter((line) => !line.startsWith("TSFILE:")).join("\n");
  if (code !== 0) throw new ToolError(`the TypeScript sources do not compile:\n${messages}`);
  const count = lines.filter((line) => /^TSFILE:.*\.js$/.test(line)).length;
  return count === 0 ? undefined : `${count} files`;
}

/**
 * The compiler trusts its own record, which lies outside dist: where somebody removed dist it would
 * find nothing to do.
 *
 * @param {string} base
 */
export function forgetLostOutput(base) {
  for (const folder of workspaceFolders(base)) {
    if (!existsSync(join(base, folder, "dist"))) {
      rmSync(join(base, folder, "tsconfig.tsbuildinfo"), { force: true });
    }
  }
}

/** @returns {Promise<string | undefined>} */
async function buildAddon() {
  const addon = join(root, "packages/native/build/koala.node");
  const before = modifiedAt(addon);
  const { code, output } = await capture(process.execPath, ["packages/native/dist/build.js"]);
  if (code !== 0) throw new ToolError(`the addon could not be built:\n${output}`);
  return modifiedAt(addon) === before ? undefined : "packages/native/build/koala.node";
}

/** @param {string} path */
function modifiedAt(path) {
  return statSync(path, { throwIfNoEntry: false })?.mtimeMs;
}
