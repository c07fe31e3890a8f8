/** Words that do not land, each with what to do instead. */
import { isCode } from "./tree.mjs";

/** Where banned words have to be written down: the rules themselves. */
const exempt = /^tools\/tidy\//;

/**
 * @type {{ pattern: RegExp, where?: RegExp, message: string }[]}
 */
const banned = [
  { pattern: /\bFIXME\b/, message: "FIXME does not land: repair it now" },
  { pattern: /\bTODO\b(?!\(#\d+\))/, message: "TODO needs the number of an issue: TODO(#12)" },
  {
    pattern: /\b(?:test|it|describe|suite)\.only\(/,
    message: ".only leaves the other tests out: remove it",
  },
  { pattern: /\bas any\b/, message: '"as any" switches checking off: use unknown and narrow it' },
  { pattern: /@ts-(?:ignore|nocheck)\b/, message: "use @ts-expect-error with a reason" },
  { pattern: /^\s*debugger\b/, message: "a left-over of debugging: remove it" },
  {
    pattern: /\bconsole\.(?:log|debug|dir|trace)\(/,
    // Programs talk to a person; so do fuzzers, what runs tests, programs inside tests, and those that a
    // template of `koalactl init` holds.
    where:
      /^packages\/(?!testing\/)[^/]+\/src\/(?!(?:.*\/)?(?:main|build|template|[\w-]+\.(?:fuzz|test))\.ts$)/,
    message: "write to a log, or to process.stdout in a program",
  },
];

/** @type {import("./problem.mjs").Rule} */
export const words = {
  name: "banned words",
  find: (tree) =>
    tree.files
      .filter((file) => isCode(file) && !exempt.test(file.path))
      .flatMap((file) =>
        file.lines.flatMap((line, index) => findInLine(file.path, line, index + 1)),
      ),
};

/**
 * @param {string} path
 * @param {string} text
 * @param {number} line
 */
function findInLine(path, text, line) {
  return banned
    .filter(({ pattern, where }) => (where === undefined || where.test(path)) && pattern.test(text))
    .map(({ message }) => ({ path, line, message }));
}
