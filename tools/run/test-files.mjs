/**
 * Which files hold tests. They are looked for among the sources and mapped to what is compiled
 * from them: a test whose source was removed would otherwise live on in dist.
 */
import { relative, resolve } from "node:path";
import { filesUnder, root, workspaceFolders } from "./root.mjs";
import { ToolError } from "./tool-error.mjs";

/**
 * The compiled file of a source file: packages/shm/src/ring.ts, packages/shm/dist/ring.js. What is not
 * TypeScript runs as it is.
 *
 * @param {string} source
 * @returns {string}
 */
export function compiledOf(source) {
  return source.endsWith(".ts")
    ? source.replace("/src/", "/dist/").replace(/\.ts$/, ".js")
    : source;
}

/**
 * The source of a path that a person gave: a source file, a folder, a compiled file, relative to `cwd`.
 *
 * @param {string} path
 * @param {string} base
 * @param {string} cwd
 */
function sourceOf(path, base, cwd) {
  const inner = relative(base, resolve(cwd, path));
  return inner.replace(/(^|\/)dist(\/|$)/, "$1src$2").replace(/\.js$/, ".ts");
}

/**
 * The sources of the tests, relative to the repository: all, or those at or under some paths.
 *
 * @param {string[]} paths
 * @param {{ base?: string, cwd?: string }} [options]
 * @returns {string[]}
 */
export function findTests(paths, options = {}) {
  const base = options.base ?? root;
  const all = [
    ...filesUnder("tools", (name) => name.endsWith(".test.mjs"), base),
    ...workspaceFolders(base).flatMap((folder) =>
      filesUnder(`${folder}/src`, (name) => name.endsWith(".test.ts"), base),
    ),
  ];
  if (paths.length === 0) return all;
  const chosen = new Set();
  for (const path of paths) {
    const source = sourceOf(path, base, options.cwd ?? base);
    const under = all.filter(
      (test) => source === "" || test === source || test.startsWith(`${source}/`),
    );
    if (under.length === 0) {
      throw new ToolError(
        `no tests at or under "${path}". Tests are named x.test.ts and lie beside x.ts.`,
      );
    }
    for (const test of under) chosen.add(test);
  }
  return all.filter((test) => chosen.has(test));
}
