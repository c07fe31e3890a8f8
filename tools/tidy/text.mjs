/** The form of text files: what an editor should have done. */
import { isCode } from "./tree.mjs";

const linesMax = 600;

/** @type {import("./problem.mjs").Rule} */
export const text = {
  name: "form of text",
  find: (tree) =>
    tree.files
      .filter((file) => !file.isBinary && !file.isGenerated && file.text !== "")
      .flatMap((file) => [...findLong(file), ...findBlanks(file), ...findEnd(file)]),
};

/** @param {import("./tree.mjs").TreeFile} file */
function findLong(file) {
  const count = file.lines.length - 1;
  if (!isCode(file) || count <= linesMax) return [];
  return [{ path: file.path, message: `${count} lines, ${linesMax} at most: split it by topic` }];
}

/** @param {import("./tree.mjs").TreeFile} file */
function findBlanks(file) {
  return file.lines.flatMap((line, index) =>
    /\s$/.test(line)
      ? [{ path: file.path, line: index + 1, message: "blanks at the end of the line" }]
      : [],
  );
}

/** @param {import("./tree.mjs").TreeFile} file */
function findEnd(file) {
  if (file.text.endsWith("\n") && !file.text.endsWith("\n\n")) return [];
  return [{ path: file.path, message: "a file ends with one line feed" }];
}
