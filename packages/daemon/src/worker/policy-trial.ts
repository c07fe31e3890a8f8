/** What is tried out before a policy is put in place, where it can do no harm yet. */
import { messageOf } from "@koala/interface";
import type { ConfigProblem, PolicyContext, PolicyDefinition } from "@koala/policy";
import { fits, type Slot } from "@koala/policy/engine";
import type { ServiceSchema } from "@koala/schema";
import type { PlannedPolicy, PolicyRefusal } from "../policies/runtime-plan.ts";

/** Something that the answer calls a refusal, on its way up. */
export class Refused extends Error {
  readonly refusal: PolicyRefusal;

  constructor(refusal: PolicyRefusal) {
    super(refusal.message);
    this.refusal = refusal;
  }
}

/** What a policy has against methods that it is going to see. */
export function methodRefusals(
  definition: PolicyDefinition,
  config: unknown,
  { name, selector }: PlannedPolicy,
  schemas: Iterable<ServiceSchema>,
): PolicyRefusal[] {
  if (definition.checkMethod === undefined) return [];
  const refusals: PolicyRefusal[] = [];
  for (const schema of schemas) {
    if (selector.service?.some((pattern) => fits(pattern, schema.typeName)) === false) continue;
    for (const method of schema.methods) {
      if (selector.method?.some((pattern) => fits(pattern, method.name)) === false) continue;
      const place = `${schema.typeName}/${method.name}`;
      const asked = { service: schema.typeName, method };
      let problems: readonly ConfigProblem[];
      try {
        problems = definition.checkMethod(config, asked);
      } catch (error) {
        problems = [{ path: [], message: `checkMethod threw: ${describe(error)}` }];
      }
      for (const problem of problems) {
        const message = `${problem.message} (method ${place})`;
        const { path, offset } = problem;
        refusals.push({ code: "ERR_POLICY_METHOD", policy: name, message, path, offset });
      }
    }
  }
  return refusals;
}

/** Lets the new code read what the old one hands over, in a context that leads nowhere. */
export function tryImport(
  slot: Slot,
  definition: PolicyDefinition,
  config: unknown,
  { name }: PlannedPolicy,
): void {
  const fail = (message: string): never => {
    throw new Refused({ code: "ERR_POLICY_UPGRADE", policy: name, message });
  };
  const old = slot.definition;
  if (old.export === undefined) return;
  if (definition.import === undefined) {
    fail(
      `version ${old.version} hands over its state, but version ${definition.version} has no "import"`,
    );
  }
  let saved: unknown;
  try {
    saved = structuredClone(slot.exportState());
  } catch (error) {
    fail(`the old code can't hand over its state: ${describe(error)}`);
  }
  if (saved === undefined) return;
  const shared = new SharedArrayBuffer(slot.ctx.shared.byteLength);
  new Uint8Array(shared).set(new Uint8Array(slot.ctx.shared));
  const trial: PolicyContext = {
    ...slot.ctx,
    config,
    state: undefined,
    shared,
    counters: { ...slot.ctx.counters },
    timer: () => ({ set: () => {}, clear: () => {} }),
    warn: () => {},
    event: () => {},
    notify: () => true,
  };
  try {
    definition.import?.(saved, old.stateVersion ?? 1, trial);
  } catch (error) {
    fail(
      `version ${definition.version} can't take the state of version ${old.version}: ${describe(error)}`,
    );
  }
}

export function refusalOf(planned: PlannedPolicy, error: unknown): PolicyRefusal {
  if (error instanceof Refused) return error.refusal;
  const message = `can't be prepared: ${describe(error)}`;
  return { code: "ERR_POLICY_START", policy: planned.name, message };
}

/** The message, and where in the policy's own code. */
export function describe(error: unknown): string {
  const stack = error instanceof Error ? (error.stack ?? "") : "";
  const place = /\n\s+at (?:.*\()?file:\/\/([^\s()]+:\d+:\d+)/.exec(stack)?.[1];
  return place === undefined ? messageOf(error) : `${messageOf(error)} (${place})`;
}
