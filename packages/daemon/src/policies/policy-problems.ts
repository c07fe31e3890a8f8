/** Says what is wrong with policies, with the line of koala.toml where they stand there. */
import { KoalaError } from "@koala/interface";
import {
  formatProblems,
  type PolicyConfig,
  type PolicyProblem,
  type Problem,
  placeInPolicy,
} from "../config/index.ts";
import type { Document } from "../config/relation.ts";

/** A file that policies come from. */
export interface PolicyFile {
  readonly document: Document;
  readonly policies: readonly PolicyConfig[];
}

/** One problem of one policy. */
export interface FoundProblem extends PolicyProblem {
  readonly policy: PolicyConfig;
  /** In `use`, not in the configuration. */
  readonly isModule?: boolean | undefined;
}

/** The error that names all of them. */
export function policyError(
  code: string,
  found: readonly FoundProblem[],
  file: PolicyFile | undefined,
): KoalaError {
  const problems = found.map((problem) => problemOf(problem, file));
  return new KoalaError(code, formatProblems(problems));
}

function problemOf(found: FoundProblem, file: PolicyFile | undefined): Problem {
  const { policy, path } = found;
  // By identity: what was set by hand since does not stand in the file.
  const position = file?.policies.findIndex(
    (other) => other.name === policy.name && isSame(other, policy),
  );
  if (file !== undefined && position !== undefined && position >= 0) {
    const place =
      found.isModule === true
        ? placeInPolicy(file.document, position, { ...found, path: [], isUse: true })
        : placeInPolicy(file.document, position, found);
    return { place, message: sentence(found), related: [] };
  }
  const text = found.isModule === true ? found.message : `${dotPath(path)}: ${found.message}`;
  const source = `policy "${policy.name}"`;
  const value = valueAt(policy.config, path);
  if (found.offset === undefined || typeof value !== "string") {
    return { place: { source, text: "", range: null }, message: text, related: [] };
  }
  // The expression itself is shown, with a mark below.
  const range = { start: found.offset, end: found.offset + 1 };
  const place = { source: `${source} ${dotPath(path)}`, text: value, range };
  return { place, message: found.message, related: [] };
}

function sentence({ policy, path, message, isModule }: FoundProblem): string {
  if (isModule === true) return `policy "${policy.name}": ${message}`;
  return `${dotPath(path)} of policy "${policy.name}": ${message}`;
}

/** `config.rules[0].when` */
function dotPath(path: readonly PropertyKey[]): string {
  let text = "config";
  for (const step of path) text += typeof step === "number" ? `[${step}]` : `.${String(step)}`;
  return text;
}

function valueAt(config: unknown, path: readonly PropertyKey[]): unknown {
  let value = config;
  for (const step of path) value = (value as Record<PropertyKey, unknown> | undefined)?.[step];
  return value;
}

function isSame(a: unknown, b: unknown): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}
