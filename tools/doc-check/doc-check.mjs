/**
 * Documents say what the code does: every error code that a package can give is in
 * docs/reference/errors.md, and every code on that page exists; for the rest see internals.mjs.
 */
import { readTree } from "../tidy/tree.mjs";
import { findInternalsProblems } from "./internals.mjs";

const page = "docs/reference/errors.md";
const source = /^packages\/[^/]+\/(src|addon)\/.*\.(ts|c|cc|h)$/;
const test = /\.(test|fuzz)\.ts$|\/addon\/tests\//;
/** In double quotes: the formatter leaves no others, and documents in comments use backticks. */
const quoted = /"(ERR_[A-Z][A-Z0-9_]*)"/g;

/** Codes that Node gives and that our code compares with: they are not ours to describe. */
const nodeCodes = new Set([
  "ERR_INVALID_ARG_TYPE",
  "ERR_INVALID_ARG_VALUE",
  "ERR_INVALID_URL",
  "ERR_MODULE_NOT_FOUND",
  "ERR_REQUIRE_ASYNC_MODULE",
  "ERR_OUT_OF_RANGE",
  "ERR_PACKAGE_PATH_NOT_EXPORTED",
  "ERR_DLOPEN_FAILED",
  "ERR_IPC_CHANNEL_CLOSED",
  "ERR_STREAM_PREMATURE_CLOSE",
  "ERR_STREAM_DESTROYED",
]);

/**
 * @param {string} root
 * @returns {import("../tidy/problem.mjs").Problem[]}
 */
export function findDocumentProblems(root) {
  const { files } = readTree(root);
  return [...findCodeProblems(files), ...findInternalsProblems(files)];
}

/**
 * @param {import("../tidy/tree.mjs").TreeFile[]} files
 * @returns {import("../tidy/problem.mjs").Problem[]}
 */
function findCodeProblems(files) {
  const used = usedCodes(files);
  const document = files.find(({ path }) => path === page);
  if (document === undefined) {
    return [{ path: page, message: "the page of error codes is missing" }];
  }
  const documented = documentedCodes(document);
  const missing = [...used].filter(([code]) => !documented.has(code));
  const extra = [...documented].filter(([code]) => !used.has(code));
  return [
    ...missing.map(([code, place]) => ({
      ...place,
      message: `${code} is not described in ${page}`,
    })),
    ...extra.map(([code, line]) => ({
      path: page,
      line,
      message: `${code} is given by no package`,
    })),
  ];
}

/**
 * Where each code is used first.
 *
 * @param {import("../tidy/tree.mjs").TreeFile[]} files
 */
function usedCodes(files) {
  /** @type {Map<string, { path: string, line: number }>} */
  const codes = new Map();
  for (const { path, lines, isGenerated } of files) {
    if (isGenerated || !source.test(path) || test.test(path)) continue;
    for (const [index, line] of lines.entries()) {
      for (const [, code = ""] of line.matchAll(quoted)) {
        if (!nodeCodes.has(code) && !codes.has(code)) codes.set(code, { path, line: index + 1 });
      }
    }
  }
  return codes;
}

/**
 * The line of each code that has a row in a table of its own: | `ERR_X` | meaning | what to do |
 *
 * @param {import("../tidy/tree.mjs").TreeFile} document
 */
function documentedCodes(document) {
  /** @type {Map<string, number>} */
  const codes = new Map();
  for (const [index, line] of document.lines.entries()) {
    const code = /^\|\s*`(ERR_[A-Z0-9_]+)`\s*\|/.exec(line)?.[1];
    if (code !== undefined && !codes.has(code)) codes.set(code, index + 1);
  }
  return codes;
}
