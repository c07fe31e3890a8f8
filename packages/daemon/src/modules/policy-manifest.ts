/**
 * The manifest of a policy: what its definition says of itself, looked at before anybody relies on it, and
 * what it needs, compared with what there is.
 */
import { KoalaError } from "@koala/interface";
import {
  type PolicyDefinition,
  type PolicyNeeds,
  policyAbilities,
  policyContract,
  policyFeatures,
  policyHooks,
} from "@koala/policy";
import { didYouMean } from "../config/suggestion.ts";
import { version as daemonVersion } from "../version.ts";
import type { CompiledModule } from "./compile.ts";
import { sourcePlace } from "./source-file.ts";

const namePattern = /^[a-z][a-z0-9-]{0,63}$/;
const versionPattern = /^\d+\.\d+\.\d+([-+][0-9A-Za-z.+-]+)?$/;
const contractPattern = /^(\d+)\.(\d+)$/;
const nodePattern = /^\d+(\.\d+){0,2}$/;
const otherHandlers: readonly string[] = [
  "sharedBytes",
  "check",
  "checkMethod",
  "prepare",
  "start",
  "stop",
  "reconfigure",
  "export",
  "import",
  "control",
];
const needKeys = ["policy", "node", "features", "after"] as const satisfies (keyof PolicyNeeds)[];

/** Where a definition comes from, for messages. */
export interface ManifestSource {
  readonly entry: string;
  readonly compiled: CompiledModule;
}

/**
 * Checks the manifest of a policy.
 *
 * @throws KoalaError `ERR_MODULE_EXPORT` for a member of a wrong type, `ERR_MODULE_NEEDS` for a need that
 * this daemon can't meet, with file, line and column.
 */
export function checkManifest(definition: PolicyDefinition, source: ManifestSource): void {
  const fail = (text: string): never => {
    throw new KoalaError("ERR_MODULE_EXPORT", `${source.entry}: ${text}`);
  };
  const { name, version, stateVersion = 1, config, counters = [] } = definition;
  const { provides = [], needs, fileKeys = [] } = definition;
  if (typeof name !== "string" || !namePattern.test(name)) {
    fail(`name must be lower-case letters, digits and hyphens, found ${JSON.stringify(name)}`);
  }
  if (typeof version !== "string" || !versionPattern.test(version)) {
    fail(`version must be a semantic version such as "1.0.0", found ${JSON.stringify(version)}`);
  }
  if (!Number.isInteger(stateVersion) || stateVersion < 1) {
    fail(`stateVersion must be a whole number from 1 on, found ${JSON.stringify(stateVersion)}`);
  }
  if (typeof (config as { safeParse?: unknown } | undefined)?.safeParse !== "function") {
    fail(
      "config must be a zod type: z.strictObject({ … }), or z.strictObject({}) if there is none",
    );
  }
  if (!isTexts(counters)) fail("counters must be a list of names");
  if (!isTexts(fileKeys)) fail("fileKeys must be a list of keys of the table");
  if (!isTexts(provides)) fail(`provides must be a list of: ${policyAbilities.join(", ")}`);
  for (const ability of provides) {
    if (!policyAbilities.includes(ability)) {
      fail(`provides: there is no "${ability}". Known are: ${policyAbilities.join(", ")}`);
    }
  }
  checkHandlers(definition, source, fail);
  if (needs !== undefined) {
    checkNeedTypes(needs, fail);
    checkNeeds(definition, needs, source);
  }
}

function checkHandlers(
  definition: PolicyDefinition,
  source: ManifestSource,
  fail: (text: string) => never,
): void {
  for (const [key, member] of Object.entries(definition)) {
    const isHook = /^on[A-Z]/.test(key);
    if (isHook && !policyHooks.includes(key)) {
      refuse(
        source,
        key,
        `no call would ever go through "${key}": the handlers of policy ${policyContract} are ${policyHooks.join(", ")}`,
      );
    }
    if (!isHook && !otherHandlers.includes(key)) continue;
    if (member !== undefined && typeof member !== "function") fail(`${key} must be a function`);
  }
}

function checkNeedTypes(needs: PolicyNeeds, fail: (text: string) => never): void {
  if (typeof needs !== "object" || needs === null || Array.isArray(needs)) {
    fail(`needs must be an object with some of: ${needKeys.join(", ")}`);
  }
  for (const key of Object.keys(needs)) {
    // A need that nobody has understood is not met.
    if (!needKeys.some((known) => known === key)) {
      const hint = didYouMean(key, needKeys) || `Known are: ${needKeys.join(", ")}`;
      fail(`needs: there is no "${key}". ${hint}`);
    }
  }
  const { policy = policyContract, node = "0", features = [], after = [] } = needs;
  if (typeof policy !== "string" || !contractPattern.test(policy)) {
    fail(`needs.policy must be a version of the contract such as "${policyContract}"`);
  }
  if (typeof node !== "string" || !nodePattern.test(node)) {
    fail(`needs.node must be the oldest version of Node that will do, such as "22.4"`);
  }
  if (!isTexts(features)) fail(`needs.features must be a list of: ${policyFeatures.join(", ")}`);
  if (!isTexts(after)) fail("needs.after must be a list of names of policies");
}

function checkNeeds(
  { name }: PolicyDefinition,
  { policy = policyContract, node = "0", features = [] }: PolicyNeeds,
  source: ManifestSource,
): void {
  if (!meetsContract(policy)) {
    refuse(
      source,
      policy,
      `the policy "${name}" is written for policy ${policy}, and this daemon (${daemonVersion}) has policy ${policyContract}. ${whichIsOlder(policy)}`,
    );
  }
  const { node: runs } = process.versions;
  if (compareVersions(runs, node) < 0) {
    refuse(
      source,
      node,
      `the policy "${name}" needs Node ${node} or newer, and this daemon runs on ${runs}. Start the daemon with a newer Node`,
    );
  }
  for (const feature of features) {
    if (policyFeatures.includes(feature)) continue;
    refuse(
      source,
      feature,
      `the policy "${name}" needs "${feature}", which this daemon (${daemonVersion}) does not offer to policies. It offers: ${policyFeatures.join(", ")}`,
    );
  }
}

/** Throws ERR_MODULE_NEEDS, with the place of `text`, best behind `needs`, where it can be found. */
function refuse({ entry, compiled }: ManifestSource, text: string, message: string): never {
  const place = placeOf(compiled, text) ?? entry;
  throw new KoalaError("ERR_MODULE_NEEDS", `${place}: ${message}`);
}

/** Where the module's own files say it: the word itself, or the text in quotes. */
function placeOf({ sources }: CompiledModule, text: string): string | undefined {
  const word = new RegExp(`(["'\`])${escaped(text)}\\1|\\b${escaped(text)}\\b\\s*[(:]`);
  for (const { path, text: written, code } of sources.values()) {
    const needs = Math.max(0, code.search(/\bneeds\s*:/));
    for (const start of [needs, 0]) {
      const at = code.slice(start).search(word);
      if (at >= 0) return sourcePlace(path, written, start + at);
    }
  }
  return undefined;
}

function meetsContract(wanted: string): boolean {
  const [major, minor] = partsOf(wanted);
  const [ourMajor, ourMinor] = partsOf(policyContract);
  return major === ourMajor && minor! <= ourMinor!;
}

function whichIsOlder(wanted: string): string {
  return compareVersions(wanted, policyContract) > 0
    ? "Upgrade the daemon first"
    : "Get a newer version of the policy";
}

/** Below 0 when `a` is older; parts that are missing are 0, what follows the numbers does not count. */
export function compareVersions(a: string, b: string): number {
  const [x, y] = [partsOf(a), partsOf(b)];
  for (let i = 0; i < 3; i++) {
    const difference = (x[i] ?? 0) - (y[i] ?? 0);
    if (difference !== 0) return difference;
  }
  return 0;
}

function partsOf(version: string): number[] {
  return (/^\d+(\.\d+)*/.exec(version)?.[0] ?? "0").split(".").map(Number);
}

function isTexts(value: unknown): value is readonly string[] {
  return Array.isArray(value) && value.every((item) => typeof item === "string");
}

function escaped(text: string): string {
  return text.replaceAll(/[^\w\s]/g, "\\$&");
}
