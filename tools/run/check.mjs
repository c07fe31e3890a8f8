import process from "node:process";
import { checks } from "./checks.mjs";
import { setUpPackages } from "./set-up.mjs";
import { step } from "./step.mjs";
import { ToolError } from "./tool-error.mjs";

/**
 * Runs every check and shows what all of them found.
 *
 * @param {string[]} paths files and folders to look at; everything when there are none
 * @returns {Promise<number>}
 */
export async function check(paths) {
  await setUpPackages();
  let failures = 0;
  for (const { name, find } of checks) {
    try {
      await step(name, async () => {
        const found = await find(paths);
        if (found !== undefined) throw new ToolError(found);
        return "in order";
      });
    } catch (error) {
      if (!(error instanceof ToolError)) throw error;
      process.stderr.write(`${error.message}\n`);
      failures += 1;
    }
  }
  return failures === 0 ? 0 : 1;
}
