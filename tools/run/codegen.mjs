/**
 * TypeScript from .proto files, in every folder that holds a buf.gen.yaml. The generators are pinned in
 * tools/codegen, apart from the workspaces: who does not change a .proto file never installs them.
 */
import { delimiter, dirname, join } from "node:path";
import process from "node:process";
import { capture } from "./child.mjs";
import { install } from "./install.mjs";
import { withLock } from "./lock.mjs";
import { filesUnder, root, workspaceFolders } from "./root.mjs";
import { step } from "./step.mjs";
import { ToolError } from "./tool-error.mjs";

/**
 * @param {string[]} _args
 * @returns {Promise<number>}
 */
export async function codegen(_args) {
  const home = join(root, "tools/codegen");
  await withLock(join(root, ".cache/codegen.lock"), async () => {
    await step("install the generators", () => install(home));
    for (const folder of findTemplates(root)) {
      await step(`generate ${folder}`, () => generate(home, folder));
    }
  });
  return 0;
}

/**
 * The folders that hold a buf.gen.yaml.
 *
 * @param {string} base
 * @returns {string[]}
 */
export function findTemplates(base) {
  return workspaceFolders(base)
    .flatMap((folder) => filesUnder(folder, (name) => name === "buf.gen.yaml", base))
    .map(dirname);
}

/**
 * @param {string} home
 * @param {string} folder
 */
async function generate(home, folder) {
  const programs = join(home, "node_modules/.bin");
  const { code, output } = await capture(join(programs, "buf"), ["generate"], {
    cwd: join(root, folder),
    env: { PATH: `${programs}${delimiter}${process.env["PATH"] ?? ""}` },
  });
  if (code !== 0) throw new ToolError(`"buf generate" failed in ${folder}:\n${output}`);
  return "done";
}
