/** A small tree of files in a temporary folder, for tests of rules. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";

/**
 * @param {import("node:test").TestContext} context the tree is removed after this test
 * @param {Record<string, string | Uint8Array>} files contents by path
 * @returns {string} the folder
 */
export function smallTree(context, files) {
  const root = mkdtempSync(join(tmpdir(), "koala-tree-"));
  context.after(() => rmSync(root, { recursive: true, force: true }));
  for (const [path, content] of Object.entries(files)) {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), content);
  }
  return root;
}

/**
 * The files of a workspace with some packages, each in order by itself.
 *
 * @param {Record<string, { name: string, dependencies?: Record<string, string>,
 *   devDependencies?: Record<string, string>, references?: string[], private?: boolean }>} packages by folder
 * @returns {Record<string, string>}
 */
export function workspace(packages) {
  /** @type {Record<string, string>} */
  const files = {
    "package.json": JSON.stringify({
      version: "1.0.0",
      workspaces: ["packages/*", "tests"],
      devDependencies: { "fast-check": "4.0.0" },
    }),
    "tsconfig.json": JSON.stringify({
      references: Object.keys(packages).map((path) => ({ path })),
    }),
  };
  for (const [folder, { references = [], ...manifest }] of Object.entries(packages)) {
    files[`${folder}/package.json`] = JSON.stringify({ version: "1.0.0", ...manifest });
    files[`${folder}/tsconfig.json`] = JSON.stringify({
      references: references.map((path) => ({ path: `${folder.replace(/[^/]+/g, "..")}/${path}` })),
    });
    files[`${folder}/README.md`] = `# ${manifest.name}\n`;
  }
  for (const path of Object.keys(files)) files[path] = `${files[path]?.trimEnd()}\n`;
  return files;
}
