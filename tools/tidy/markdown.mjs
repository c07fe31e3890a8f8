/** Documents: one title each, and links inside the repository lead somewhere. */
import { existsSync } from "node:fs";
import { dirname, join } from "node:path";

/** @type {import("./problem.mjs").Rule} */
export const markdown = {
  name: "documents",
  find: (tree) =>
    tree.files
      .filter(({ path, isGenerated }) => path.endsWith(".md") && !isGenerated)
      .flatMap((file) => {
        const prose = withoutCode(file.lines);
        return [...findTitles(file.path, prose), ...findDeadLinks(tree.root, file.path, prose)];
      }),
};

/**
 * The lines with everything inside code blocks and code spans blanked out, so that line numbers stay.
 *
 * @param {string[]} lines
 */
function withoutCode(lines) {
  /** @type {string | undefined} */
  let fence;
  return lines.map((line) => {
    const mark = /^\s*(`{3,}|~{3,})/.exec(line)?.[1];
    if (fence === undefined) {
      fence = mark;
      return mark === undefined ? line.replace(/`[^`]*`/g, "") : "";
    }
    if (mark?.startsWith(fence)) fence = undefined;
    return "";
  });
}

/**
 * @param {string} path
 * @param {string[]} prose
 */
function findTitles(path, prose) {
  const titles = prose.flatMap((line, index) => (/^# /.test(line) ? [index + 1] : []));
  if (titles.length === 0) return [{ path, message: 'no title: begin with a line "# Title"' }];
  return titles
    .slice(1)
    .map((line) => ({ path, line, message: "a second title: use ## below it" }));
}

/**
 * @param {string} root
 * @param {string} path
 * @param {string[]} prose
 */
function findDeadLinks(root, path, prose) {
  return prose.flatMap((line, index) =>
    targetsIn(line)
      .filter((target) => !existsSync(join(root, dirname(path), target)))
      .map((target) => ({ path, line: index + 1, message: `dead link: ${target} is not there` })),
  );
}

/**
 * The files that a line links to, relative to its document: inline links, pictures, references.
 *
 * @param {string} line
 */
function targetsIn(line) {
  const inline = [...line.matchAll(/\]\(\s*<?([^)\s>]+)/g)].map((match) => match[1] ?? "");
  const reference = /^\s*\[[^\]]+\]:\s*(\S+)/.exec(line)?.[1];
  return [...inline, ...(reference === undefined ? [] : [reference])]
    .filter((target) => !/^(?:[a-z][a-z+.-]*:|#)/i.test(target))
    .map((target) => decodeURI(target.replace(/[?#].*$/, "")));
}
