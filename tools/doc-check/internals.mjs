/**
 * The pages about the inside name files and settings: those that they name are there, and every limit
 * that can be configured has its line in LIMITS.md.
 */

const folder = "docs/internals/";
const limitsPage = `${folder}LIMITS.md`;
const configPage = "docs/reference/config.md";
/** Sections of koala.toml that are limits as a whole. */
const limitSections = ["limits"];

/**
 * @param {import("../tidy/tree.mjs").TreeFile[]} files
 * @returns {import("../tidy/problem.mjs").Problem[]}
 */
export function findInternalsProblems(files) {
  return [...findMissingFiles(files), ...findMissingLimits(files)];
}

/**
 * Names of sources in backticks, with as many folders in front as the page likes: `link/link.ts`.
 *
 * @param {import("../tidy/tree.mjs").TreeFile[]} files
 */
function findMissingFiles(files) {
  const sources = files
    .filter(({ path }) => /\.(ts|mjs)$/.test(path))
    .map(({ path }) => `/${path}`);
  return files
    .filter(({ path }) => path.startsWith(folder) && path.endsWith(".md"))
    .flatMap(({ path, lines }) =>
      lines.flatMap((line, index) =>
        [...line.matchAll(/`([\w./-]+\.(?:ts|mjs))`/g)]
          .map(([, name = ""]) => name)
          .filter((name) => !/^x\./.test(name) && !isThere(name, sources))
          .map((name) => ({
            path,
            line: index + 1,
            message: `${name} is not among the sources: it was moved, or the page is wrong`,
          })),
      ),
    );
}

/**
 * The last folders may be left out in the middle: `client/src/call.ts`, `datapath/call.ts`, `call.ts`.
 *
 * @param {string} name
 * @param {string[]} sources
 */
function isThere(name, sources) {
  return sources.some(
    (path) => path.endsWith(`/${name}`) || path.replace("/src/", "/").endsWith(`/${name}`),
  );
}

/** @param {import("../tidy/tree.mjs").TreeFile[]} files */
function findMissingLimits(files) {
  const config = files.find(({ path }) => path === configPage);
  const limits = files.find(({ path }) => path === limitsPage);
  if (config === undefined || limits === undefined) return [];
  const named = new Set(
    limits.lines
      .filter((line) => line.startsWith("|"))
      .flatMap((line) => {
        const [, first = ""] = line.split("|");
        return [...first.matchAll(/`(\w+)`/g)].map(([, name]) => name);
      }),
  );
  return keysOf(config)
    .filter(({ key }) => !named.has(key))
    .map(({ key }) => ({
      path: limitsPage,
      message: `${key} of [limits] has no line: say where it is enforced and what happens when it is hit`,
    }));
}

/**
 * Keys in the tables of the sections that are limits.
 *
 * @param {import("../tidy/tree.mjs").TreeFile} page
 */
function keysOf(page) {
  let section = "";
  /** @type {{ key: string }[]} */
  const keys = [];
  for (const line of page.lines) {
    if (line.startsWith("## ")) section = /^## `\[+(\w+)\]+`$/.exec(line)?.[1] ?? "";
    const key = /^\|\s*`(\w+)`\s*\|/.exec(line)?.[1];
    if (key !== undefined && limitSections.includes(section)) keys.push({ key });
  }
  return keys;
}
