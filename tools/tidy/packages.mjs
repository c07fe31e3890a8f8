/**
 * The packages agree with each other: a README each, one version for all, and the compiler's references
 * say the same as the dependencies (otherwise a build from nothing compiles in the wrong order).
 */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { readJson, readPackages, readReferences } from "./workspace.mjs";

/** @typedef {import("./workspace.mjs").Package} Package */

/** @type {import("./problem.mjs").Rule} */
export const packages = {
  name: "packages",
  find: ({ root }) => {
    const all = readPackages(root);
    if (all.length === 0) return [];
    const version = readJson(join(root, "package.json")).version;
    return [
      ...findUnlisted(root, all),
      ...findUnlocked(root, all),
      ...all.flatMap((one) => [
        ...findReadme(root, one),
        ...findVersions(one, all, version),
        ...findReferences(one, all),
      ]),
    ];
  },
};

/**
 * @param {string} root
 * @param {Package[]} all
 */
function findUnlisted(root, all) {
  const listed = readReferences(root, ".") ?? [];
  return all
    .filter((one) => one.references !== undefined && !listed.includes(one.folder))
    .map((one) => ({ path: "tsconfig.json", message: `add a reference to ${one.folder}` }));
}

/**
 * @param {string} root
 * @param {Package[]} all
 */
function findUnlocked(root, all) {
  if (!existsSync(join(root, "package-lock.json"))) return [];
  const locked = readJson(join(root, "package-lock.json")).packages ?? {};
  return all.flatMap(({ folder, dependencies }) => {
    const entry = locked[folder] ?? {};
    const known = {
      ...entry.dependencies,
      ...entry.peerDependencies,
      ...entry.devDependencies,
      ...entry.optionalDependencies,
    };
    const names = Object.keys({ ...dependencies, ...known });
    const changed = names.filter((name) => dependencies[name] !== known[name]);
    if (changed.length === 0) return [];
    const message = `out of step with ${folder}/package.json (${changed.join(", ")}): run npm install`;
    return [{ path: "package-lock.json", message }];
  });
}

/**
 * @param {string} root
 * @param {Package} one
 */
function findReadme(root, one) {
  if (existsSync(join(root, one.folder, "README.md"))) return [];
  return [
    { path: one.folder, message: "a package has a README.md: what it is, one example, its parts" },
  ];
}

/**
 * @param {Package} one
 * @param {Package[]} all
 * @param {string} version
 */
function findVersions(one, all, version) {
  const path = `${one.folder}/package.json`;
  const problems = [];
  if (one.version !== version) {
    problems.push({ path, message: `version ${one.version}, all packages have ${version}` });
  }
  for (const other of all) {
    const wanted = one.dependencies[other.name];
    if (wanted !== undefined && wanted !== version) {
      problems.push({
        path,
        message: `${other.name} ${wanted}: packages of ours are named as ${version}`,
      });
    }
  }
  return problems;
}

/**
 * @param {Package} one
 * @param {Package[]} all
 */
function findReferences(one, all) {
  const references = one.references;
  if (references === undefined) return [];
  const path = `${one.folder}/tsconfig.json`;
  const others = all.filter((other) => other !== one && other.references !== undefined);
  const missing = others.filter(
    (other) => other.name in one.dependencies && !references.includes(other.folder),
  );
  const extra = others.filter(
    (other) => !(other.name in one.dependencies) && references.includes(other.folder),
  );
  const known = new Set(all.map((other) => other.folder));
  return [
    ...missing.map(
      (other) => `add a reference to ${other.folder}: package.json depends on ${other.name}`,
    ),
    ...extra.map((other) => `refers to ${other.folder}, package.json does not name ${other.name}`),
    ...references.filter((folder) => !known.has(folder)).map((folder) => `${folder} is no package`),
  ].map((message) => ({ path, message }));
}
