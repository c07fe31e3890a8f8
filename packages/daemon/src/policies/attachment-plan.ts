/** From the policies that somebody wants to attachments: loads code, checks tables, keeps what can stay. */
import { isDeepStrictEqual } from "node:util";
import { KoalaError } from "@koala/interface";
import type { PolicyConfig, PolicyProblem } from "../config/index.ts";
import { loadPolicyModule, type ModulePlaces, type PolicyModule } from "../modules/index.ts";
import { type Attachment, sharedBytesOf } from "./attachment.ts";
import { readFilesOf, withTexts } from "./config-files.ts";
import { readPolicyConfig } from "./config-problems.ts";
import { type DesiredState, policiesOf } from "./desired-state.ts";
import { type FoundProblem, type PolicyFile, policyError } from "./policy-problems.ts";

export interface PlanInput {
  readonly state: DesiredState;
  /** What there is now. */
  readonly current: readonly Attachment[];
  /** New code, by `use`; other code stays as it is loaded. */
  readonly upgrades: ReadonlyMap<string, PolicyModule>;
  readonly places: ModulePlaces;
  /** Where compiled code goes; asked for when there is some. */
  cache: () => string;
  readonly runtimes: number;
  /** Where the policies of the file stand. */
  readonly file: PolicyFile | undefined;
  nextId: () => number;
}

/**
 * The attachments for a state, in order.
 *
 * @throws KoalaError with all that is wrong: `ERR_POLICY_CONFIG` for tables, the error of a module's own
 * when it is the only problem.
 */
export async function planAttachments(input: PlanInput): Promise<Attachment[]> {
  const attachments: Attachment[] = [];
  const problems: FoundProblem[] = [];
  let code = "";
  for (const policy of policiesOf(input.state)) {
    try {
      const planned = planOne(policy, await moduleOf(policy, input), input);
      if ("problems" in planned) problems.push(...planned.problems);
      else attachments.push(planned);
    } catch (error) {
      if (!(error instanceof KoalaError)) throw error;
      code = error.code;
      problems.push({ policy, path: [], message: error.message, isModule: true });
    }
  }
  for (const { policy, message } of missingBefore(attachments)) {
    code = "ERR_MODULE_NEEDS";
    problems.push({ policy, path: [], message, isModule: true });
  }
  if (problems.length === 0) return attachments;
  const only = problems.length === 1 && code !== "" ? code : "ERR_POLICY_CONFIG";
  throw policyError(only, problems, input.file);
}

/** Policies that must not act without another one before them, which is not there. */
function missingBefore(
  attachments: readonly Attachment[],
): { policy: PolicyConfig; message: string }[] {
  const found: { policy: PolicyConfig; message: string }[] = [];
  const before = new Set<string>();
  for (const { policy, module } of attachments) {
    if (!policy.enabled) continue;
    const { name, needs } = module.definition;
    for (const wanted of needs?.after ?? []) {
      if (before.has(wanted)) continue;
      const there = attachments.find((other) => other.module.definition.name === wanted);
      const state =
        there === undefined
          ? "which is not attached"
          : there.policy.enabled
            ? `which is attached behind it, with order ${there.policy.order}`
            : "which is attached but not enabled";
      const message = `${module.entry}: the policy "${name}" needs the policy "${wanted}" before it, ${state}. Attach that one with an order below ${policy.order}`;
      found.push({ policy, message });
    }
    before.add(name);
  }
  return found;
}

async function moduleOf(policy: PolicyConfig, input: PlanInput): Promise<PolicyModule> {
  const { use } = policy;
  const upgrade = input.upgrades.get(use);
  if (upgrade !== undefined) return upgrade;
  const from = input.state.paths[use] ?? use;
  // Code that runs stays: only an upgrade looks whether there is newer one.
  const running = input.current.find(({ module }) => module.use === use && module.from === from);
  return running?.module ?? (await loadPolicyModule(use, input.places, input.cache(), from));
}

function hasOtherCode(a: PolicyModule, b: PolicyModule): boolean {
  return a.compiled.path !== b.compiled.path;
}

function planOne(
  policy: PolicyConfig,
  module: PolicyModule,
  input: PlanInput,
): Attachment | { problems: FoundProblem[] } {
  const refused = (problems: readonly PolicyProblem[]): { problems: FoundProblem[] } => {
    return { problems: problems.map((problem) => ({ ...problem, policy })) };
  };
  const found = readFilesOf(module.definition, policy.config, input.state.files);
  if ("problems" in found) return refused(found.problems);
  const { files } = found;
  const table = withTexts(module.definition, policy.config, files);
  const read = readPolicyConfig(module.definition, table);
  if ("problems" in read) return refused(read.problems);
  const { config } = read;
  const bytes = sharedBytesOf(module.definition, config, input.runtimes);
  const old = input.current.find((attachment) => attachment.policy.name === policy.name);
  const stays =
    old?.policy.enabled === true &&
    policy.enabled &&
    old.module.definition.name === module.definition.name &&
    old.shared.byteLength === bytes;
  if (stays) {
    // Another configuration or other code is a new start for a policy that has failed.
    const isSame = isDeepStrictEqual(old.config, config) && !hasOtherCode(old.module, module);
    const failures = isSame ? old.failures : new Map<number, string>();
    return { ...old, policy, module, config, files, failures };
  }
  return {
    id: input.nextId(),
    policy,
    module,
    config,
    files,
    shared: new SharedArrayBuffer(bytes),
    control: undefined,
    failures: new Map(),
  };
}
