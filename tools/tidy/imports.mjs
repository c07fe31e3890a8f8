/**
 * Imports: only what the package's own package.json names, only in the allowed direction
 * (direction.mjs), and never into another package's folder.
 */
import { existsSync } from "node:fs";
import { join, posix } from "node:path";
import { isAllowed } from "./direction.mjs";
import { readJson, readPackages } from "./workspace.mjs";

/** @typedef {import("./workspace.mjs").Package} Package */

const statement = /^[ \t]*(?:import|export)\b(?:[^;"'`]*?\bfrom)?\s*"([^"\n]+)"/gm;
const expression = /\bimport(?:\.meta\.resolve)?\(\s*"([^"\n]+)"/g;
const testFile = /\.(test|fuzz)\.ts$/;

/** @type {import("./problem.mjs").Rule} */
export const imports = {
  name: "imports",
  find: (tree) => {
    const all = readPackages(tree.root);
    const shared = Object.keys(
      existsSync(join(tree.root, "package.json"))
        ? (readJson(join(tree.root, "package.json")).devDependencies ?? {})
        : {},
    );
    return [
      ...all.flatMap((one) => findDirection(one, all)),
      ...tree.files
        .filter(({ path }) => /\.m?ts$/.test(path))
        .flatMap((file) => {
          const one = all.find(({ folder }) => file.path.startsWith(`${folder}/`));
          return one === undefined ? [] : findImports(file, one, all, shared);
        }),
    ];
  },
};

/**
 * @param {Package} one
 * @param {Package[]} all
 */
function findDirection(one, all) {
  return all
    .filter((other) => other.name in one.dependencies)
    .filter((other) => !isAllowed(one.folder, other.folder, !(other.name in one.shipped)))
    .map((other) => ({
      path: `${one.folder}/package.json`,
      message:
        `depends on ${other.name}, against the direction of dependencies ` +
        "(the table is in tools/tidy/direction.mjs)",
    }));
}

/**
 * @param {import("./tree.mjs").TreeFile} file
 * @param {Package} one
 * @param {Package[]} all
 * @param {string[]} shared what every test may use: the root's devDependencies
 */
function findImports(file, one, all, shared) {
  const inTest = testFile.test(file.path);
  return [...specifiersIn(file.text)].flatMap(({ specifier, line }) => {
    const message = specifier.startsWith(".")
      ? relativeMessage(file.path, specifier, one)
      : packageMessage(packageOf(specifier), one, all, inTest ? shared : [], inTest);
    return message === undefined ? [] : [{ path: file.path, line, message }];
  });
}

/**
 * @param {string} text
 * @returns {Generator<{ specifier: string, line: number }>}
 */
function* specifiersIn(text) {
  for (const pattern of [statement, expression]) {
    for (const match of text.matchAll(pattern)) {
      const line = text.slice(0, match.index + match[0].length).split("\n").length;
      yield { specifier: match[1] ?? "", line };
    }
  }
}

/**
 * @param {string} path
 * @param {string} specifier
 * @param {Package} one
 */
function relativeMessage(path, specifier, one) {
  const target = posix.join(posix.dirname(path), specifier);
  if (target.startsWith(`${one.folder}/`)) return undefined;
  return `"${specifier}" leads out of the package: import the other package by its name`;
}

/** @param {string} specifier */
function packageOf(specifier) {
  return specifier.split("/", specifier.startsWith("@") ? 2 : 1).join("/");
}

/**
 * @param {string} name
 * @param {Package} one
 * @param {Package[]} all
 * @param {string[]} shared
 * @param {boolean} inTest
 */
function packageMessage(name, one, all, shared, inTest) {
  if (name.startsWith("node:") || name === one.name || shared.includes(name)) return undefined;
  if (!(name in one.dependencies)) {
    return `"${name}" is not among the dependencies of ${one.folder}/package.json`;
  }
  const other = all.find((candidate) => candidate.name === name);
  if (other !== undefined && !isAllowed(one.folder, other.folder, inTest)) {
    return `${one.folder} must not know ${name} (the table is in tools/tidy/direction.mjs)`;
  }
  if (!inTest && !one.isPrivate && !(name in one.shipped)) {
    return `"${name}" is for tests only (devDependencies): users will not have it`;
  }
  return undefined;
}
