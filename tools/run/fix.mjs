import process from "node:process";
import { run } from "./child.mjs";
import { setUpPackages } from "./set-up.mjs";

/**
 * Repairs what the linter and the formatter can repair.
 *
 * @param {string[]} paths everything when there are none
 * @returns {Promise<number>}
 */
export async function fix(paths) {
  await setUpPackages();
  const biome = "node_modules/@biomejs/biome/bin/biome";
  return run(process.execPath, [
    biome,
    "check",
    "--write",
    ...(paths.length === 0 ? ["."] : paths),
  ]);
}
