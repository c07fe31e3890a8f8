/**
 * Which policies somebody wants: those of koala.toml, and on top of them what was changed by hand, which
 * stays, over restarts too, until it is undone.
 */
import { createHash } from "node:crypto";
import { KoalaError } from "@koala/interface";
import type { PolicyConfig } from "../config/index.ts";
import { didYouMean } from "../config/suggestion.ts";
import type { FileTexts } from "./config-files.ts";

/** What can be set by hand of a policy in the file. */
export type PolicyPatch = Partial<Omit<PolicyConfig, "name" | "use">>;

export interface DesiredState {
  /** Of koala.toml, in its order. */
  readonly file: readonly PolicyConfig[];
  /** By hand, in the order in which they came. */
  readonly attached: readonly PolicyConfig[];
  /** Names of policies of the file that were detached. */
  readonly detached: readonly string[];
  /** By name of a policy of the file: what was set. */
  readonly changed: Readonly<Record<string, PolicyPatch>>;
  /** Where the code of a module is, if not where `use` says: after an upgrade with a path. */
  readonly paths: Readonly<Record<string, string>>;
  /** What was in the files that tables name; those that are not here are read. */
  readonly files: FileTexts;
}

/** A state in which nothing was done by hand. */
export function stateOfFile(file: readonly PolicyConfig[]): DesiredState {
  return { file, attached: [], detached: [], changed: {}, paths: {}, files: {} };
}

/** The policies of a state in the order in which requests go through them. */
export function policiesOf(state: DesiredState): PolicyConfig[] {
  const kept = state.file.filter(({ name }) => !state.detached.includes(name));
  const policies = kept.map((policy) => ({ ...policy, ...state.changed[policy.name] }));
  policies.push(...state.attached);
  // Sorting keeps the order of those that are equal.
  return policies.sort((a, b) => a.order - b.order);
}

/** Where a policy comes from. */
export function originOf(state: DesiredState, name: string): "file" | "admin" | "changed" {
  if (state.attached.some((policy) => policy.name === name)) return "admin";
  return Object.hasOwn(state.changed, name) ? "changed" : "file";
}

/** With one more by hand. Throws ERR_POLICY_NAME when there is one of that name. */
export function withAttached(state: DesiredState, policy: PolicyConfig): DesiredState {
  const { name } = policy;
  if (policiesOf(state).some((other) => other.name === name)) {
    throw new KoalaError(
      "ERR_POLICY_NAME",
      `a policy "${name}" is attached already. Give this one another name, or change that one with "koalactl policy set ${name} …"`,
    );
  }
  return { ...state, attached: [...state.attached, policy] };
}

/** Without one. Throws ERR_POLICY_NAME when there is none. */
export function withoutPolicy(state: DesiredState, name: string): DesiredState {
  findPolicy(state, name);
  const { [name]: _, ...changed } = state.changed;
  return state.attached.some((policy) => policy.name === name)
    ? { ...state, attached: state.attached.filter((policy) => policy.name !== name) }
    : { ...state, changed, detached: [...state.detached, name] };
}

/** With one that is other than before. Throws ERR_POLICY_NAME when there is none. */
export function withPatch(state: DesiredState, name: string, patch: PolicyPatch): DesiredState {
  findPolicy(state, name);
  if (!state.attached.some((policy) => policy.name === name)) {
    const changed = { ...state.changed, [name]: { ...state.changed[name], ...patch } };
    return { ...state, changed };
  }
  const attached = state.attached.map((policy) =>
    policy.name === name ? { ...policy, ...patch } : policy,
  );
  return { ...state, attached };
}

/** A policy of the file as the file has it. Throws ERR_POLICY_NAME when it is none of the file's. */
export function withoutPatch(state: DesiredState, name: string): DesiredState {
  if (!state.file.some((policy) => policy.name === name)) {
    findPolicy(state, name);
    throw new KoalaError(
      "ERR_POLICY_NAME",
      `policy "${name}" was attached by hand: koala.toml says nothing that it could be reset to`,
    );
  }
  const { [name]: _, ...changed } = state.changed;
  return { ...state, changed, detached: state.detached.filter((other) => other !== name) };
}

/** The state with another file below it, and what a person should know of how they go together. */
export function withFile(
  state: DesiredState,
  file: readonly PolicyConfig[],
): { state: DesiredState; notes: string[] } {
  const names = new Set(file.map(({ name }) => name));
  const notes: string[] = [];
  const attached = state.attached.filter(({ name }) => {
    if (names.has(name)) notes.push(`"${name}", attached by hand, is koala.toml's now`);
    return !names.has(name);
  });
  const detached = state.detached.filter((name) => names.has(name));
  const changed = Object.fromEntries(
    Object.entries(state.changed).filter(([name]) => names.has(name)),
  );
  for (const name of detached) notes.push(`"${name}" stays detached, as was done by hand`);
  for (const [name, patch] of Object.entries(changed)) {
    notes.push(`"${name}" keeps what was set by hand: ${Object.keys(patch).join(", ")}`);
  }
  return { state: { ...state, file, attached, detached, changed }, notes };
}

/** The policy of a name. Throws ERR_POLICY_NAME when there is none. */
export function findPolicy(state: DesiredState, name: string): PolicyConfig {
  const policies = policiesOf(state);
  const found = policies.find((policy) => policy.name === name);
  if (found !== undefined) return found;
  const names = policies.map((policy) => policy.name);
  const hint = didYouMean(name, names);
  throw new KoalaError(
    "ERR_POLICY_NAME",
    `no policy "${name}" is attached. ${hint === "" ? (names.length === 0 ? "There are none" : `There are: ${names.join(", ")}`) : hint.slice(0, -1)}${hint === "" ? "" : "?"}`,
  );
}

/** Tells two files apart, and a file from itself after a restart. */
export function hashOfFile(file: readonly PolicyConfig[]): string {
  return createHash("sha256").update(JSON.stringify(file)).digest("hex").slice(0, 16);
}
