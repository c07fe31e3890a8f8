/**
 * Carries out changes of what is attached, one after the other and all or nothing: everything is made
 * ready in all runtimes before calls see any of it.
 *
 * ```
 *  plan ─▶ prepare ─▶ control parts ─▶ upgrade ─▶ revision ─▶ commit
 *           │ no          │ no           │ no        │ no
 *           └─────────────┴──── abort ◀──┴───────────┘
 * ```
 */
import { dirname } from "node:path";
import { isDeepStrictEqual } from "node:util";
import { KoalaError, messageOf } from "@koala/interface";
import type { ChangeAnswer, PolicyChange, RuntimeCost } from "@koala/protocol";
import type { AreaLog } from "../log/index.ts";
import { type ModulePlaces, removeModuleCache } from "../modules/index.ts";
import { type Attachment, closeControl, plannedFor, startControl } from "./attachment.ts";
import { planAttachments } from "./attachment-plan.ts";
import { changesBetween, hasOtherCode } from "./change-list.ts";
import type { ChangeRequest } from "./change-request.ts";
import type { DesiredState } from "./desired-state.ts";
import { LastWords } from "./last-words.ts";
import { type FoundProblem, type PolicyFile, policyError } from "./policy-problems.ts";
import type { PolicyRuntime, RuntimeAnswer, RuntimeGroup } from "./runtime-group.ts";
import type { PlannedPolicy, PolicyRefusal, PolicyStep } from "./runtime-plan.ts";

/** What changes need to know of the daemon. */
export interface ChangeEnvironment {
  /** As many as there may be. */
  readonly runtimes: number;
  /** Name of the daemon. */
  readonly host: string;
  cache: () => string;
  readonly log: AreaLog;
  readonly group: RuntimeGroup;
  places: () => ModulePlaces;
  file: () => PolicyFile | undefined;
  /** Keeps the change; returns its number. Throws when it can't be kept. */
  record: (request: ChangeRequest, attachments: readonly Attachment[]) => number;
  /** The newest number. */
  revision: () => number;
}

export class PolicyChanges {
  /** What is in force, also what is not enabled. */
  attachments: readonly Attachment[] = [];
  /** What was in force before the change that is under way: its instances may have last words. */
  private leaving: readonly Attachment[] = [];
  /** Of what was in force before. */
  readonly lastWords: LastWords;
  private readonly environment: ChangeEnvironment;
  private lastId = 0;
  private queue: Promise<unknown> = Promise.resolve();

  constructor(environment: ChangeEnvironment) {
    this.environment = environment;
    this.lastWords = new LastWords(environment.log);
  }

  /** The attachment that an instance belongs to. */
  attachmentOf(id: number): Attachment | undefined {
    const isIt = (attachment: Attachment): boolean => attachment.id === id;
    return this.attachments.find(isIt) ?? this.leaving.find(isIt) ?? this.lastWords.find(id);
  }

  /** Runs after all changes that were asked for before. */
  inTurn<T>(task: () => Promise<T>): Promise<T> {
    const turn = this.queue.then(task);
    this.queue = turn.catch(() => undefined);
    return turn;
  }

  /**
   * Before there are runtimes: loads and checks everything, and starts the control parts. `code`: what is
   * not to be loaded from disk.
   */
  async begin(state: DesiredState, code: ChangeRequest["upgrades"]): Promise<void> {
    const next = await this.plan(state, code);
    await this.startControls(next, next);
    this.attachments = next;
  }

  /** Gives the first runtimes what they begin with; throws when one of the policies can't start. */
  async beginAll(): Promise<void> {
    const { group, runtimes } = this.environment;
    if (group.all.length > runtimes && this.attachments.length > 0) {
      throw new KoalaError(
        "ERR_POLICY_RUNTIMES",
        `there are ${group.all.length} runtimes, but policies are told of ${runtimes}. Leave runtimes in [daemon] as it was for the upgrade, and restart the daemon to have fewer`,
      );
    }
    const step = (runtime: number): PolicyStep => this.beginStep(runtime);
    const answers = await group.ask(step);
    const refusals = answers.flatMap((answer) => answer.refusals);
    if (refusals.length > 0) throw this.refusalError(step(0), refusals);
  }

  /** The same for one that comes later: policies that can't start are out of service there. */
  async beginOne(runtime: PolicyRuntime): Promise<void> {
    await this.environment.group.askOne(runtime, this.beginStep(runtime.index));
  }

  /** Checks a change, and carries it out unless it is a dry run. Throws when any part is refused. */
  async carryOut(request: ChangeRequest): Promise<ChangeAnswer> {
    const { environment, attachments: before } = this;
    const { dryRun } = request;
    const next = await this.plan(request.next, request.upgrades);
    const changes = changesBetween(before, next);
    const answer = (revision: number, costs: RuntimeCost[]): ChangeAnswer => {
      const { notes, needsRestart } = request;
      const runtimes = costs;
      return {
        dryRun,
        revision,
        changes,
        runtimes,
        needsRestart: [...needsRestart],
        notes: [...notes],
      };
    };
    if (changes.length === 0) return answer(environment.revision(), []);

    const loading = await this.load(before, next);
    const prepared = await this.ask((runtime) => ({
      name: "prepare",
      policies: plannedOf(next, runtime),
    }));
    if (dryRun) {
      await this.abort();
      return answer(environment.revision(), costsOf(loading, [prepared]));
    }
    const started: Attachment[] = [];
    let upgraded: RuntimeAnswer[] = [];
    let revision = 0;
    try {
      await this.startControls(
        next,
        next.filter((item) => needsControl(before, item)),
        started,
      );
      if (changes.some(({ kind }) => kind === "upgraded")) {
        upgraded = await this.ask(() => ({ name: "upgrade" }));
      }
      revision = environment.record(request, next);
    } catch (error) {
      await this.abort();
      for (const attachment of started) await closeControl(attachment, environment.log);
      throw error;
    }
    this.attachments = next;
    this.leaving = before;
    this.lastWords.begin();
    const committed = await this.commit(next);
    await this.settleControls(before, next, started, committed);
    discardCode(before, next);
    this.leaving = [];
    this.tell(request, revision, changes);
    return answer(revision, costsOf(loading, [prepared, upgraded, committed]));
  }

  /** Can't be refused. A runtime that hangs carries it out when it goes on, or its successor begins with it. */
  private async commit(next: readonly Attachment[]): Promise<RuntimeAnswer[]> {
    const { group, log } = this.environment;
    try {
      return await group.ask((runtime) => ({
        name: "commit",
        policies: plannedOf(next, runtime),
      }));
    } catch (error) {
      log.error("a change takes effect late", { reason: messageOf(error) });
      return [];
    }
  }

  /** Ends all control parts. */
  async close(): Promise<void> {
    const { log } = this.environment;
    await Promise.all(this.attachments.map((attachment) => closeControl(attachment, log)));
    await this.lastWords.close();
  }

  private beginStep(runtime: number): PolicyStep {
    const { runtimes } = this.environment;
    return { name: "begin", policies: plannedOf(this.attachments, runtime), runtimes };
  }

  private plan(state: DesiredState, upgrades: ChangeRequest["upgrades"]): Promise<Attachment[]> {
    const { runtimes, cache, places, file } = this.environment;
    const nextId = (): number => ++this.lastId;
    const current = this.attachments;
    const where = { places: places(), cache, file: file() };
    return planAttachments({ state, current, upgrades, runtimes, nextId, ...where });
  }

  /** Loads code that is new into all runtimes, piece by piece; returns the longest pause by runtime. */
  private async load(
    before: readonly Attachment[],
    next: readonly Attachment[],
  ): Promise<ReadonlyMap<number, number>> {
    const running = new Set(before.map(({ module }) => module.compiled.path));
    const fresh = next.filter(
      ({ policy, module }) => policy.enabled && !running.has(module.compiled.path),
    );
    const files = [...new Set(fresh.flatMap(({ module }) => module.compiled.order))];
    const pauses = new Map<number, number>();
    await Promise.all(
      this.environment.group.all.map(async (runtime) => {
        for (let done = 0; done < files.length; ) {
          const step: PolicyStep = { name: "load", files: files.slice(done) };
          const answer = await this.environment.group.askOne(runtime, step);
          if (answer === undefined) return;
          done += answer.loaded;
          pauses.set(runtime.index, Math.max(pauses.get(runtime.index) ?? 0, answer.micros));
        }
      }),
    );
    return pauses;
  }

  /** Has all runtimes carry out a step; when one refuses, all abort and the reasons are thrown. */
  private async ask(stepOf: (runtime: number) => PolicyStep): Promise<RuntimeAnswer[]> {
    let answers: RuntimeAnswer[];
    try {
      answers = await this.environment.group.ask(stepOf);
    } catch (error) {
      await this.abort();
      throw error;
    }
    const refusals = answers.flatMap((answer) => answer.refusals);
    if (refusals.length === 0) return answers;
    await this.abort();
    throw this.refusalError(stepOf(0), refusals);
  }

  private async abort(): Promise<void> {
    try {
      await this.environment.group.ask(() => ({ name: "abort" }));
    } catch (error) {
      this.environment.log.error("a change can't be undone in a runtime", {
        reason: messageOf(error),
      });
    }
  }

  /** Runtimes mostly refuse for the same reasons: each is told once. */
  private refusalError(step: PolicyStep, refusals: readonly PolicyRefusal[]): KoalaError {
    const policies = "policies" in step ? step.policies : [];
    const texts = new Set<string>();
    const problems: FoundProblem[] = [];
    for (const { policy: name, message, path, offset } of refusals) {
      if (texts.has(`${name}\n${message}`)) continue;
      texts.add(`${name}\n${message}`);
      const policy = this.policyOf(name, policies);
      problems.push({ policy, path: path ?? [], offset, message, isModule: path === undefined });
    }
    return policyError(refusals[0]!.code, problems, this.environment.file());
  }

  private policyOf(name: string, planned: readonly PlannedPolicy[]): FoundProblem["policy"] {
    const known = this.attachments.find(({ policy }) => policy.name === name)?.policy;
    const plan = planned.find((policy) => policy.name === name);
    const { config = {}, selector = {}, budgetMicros = 0, onFailure = "closed" } = plan ?? {};
    const fresh = { name, use: name, match: selector, order: 0, enabled: true, onFailure };
    const fromFile = this.environment.file()?.policies.find((policy) => policy.name === name);
    const candidates = [fromFile, known].filter((policy) => policy !== undefined);
    const same = candidates.find(
      (policy) => JSON.stringify(policy.config) === JSON.stringify(config),
    );
    return same ?? { ...fresh, budgetMicros, config };
  }

  private async startControls(
    all: readonly Attachment[],
    which: readonly Attachment[],
    started: Attachment[] = [],
  ): Promise<void> {
    const { runtimes, host, log } = this.environment;
    for (const attachment of which) {
      try {
        // A copy of an attachment that goes on shares its part, until this one takes its place.
        attachment.control = undefined;
        attachment.control = await startControl({ attachment, runtimes, host, log });
        started.push(attachment);
      } catch (error) {
        if (started.length === 0 && this.attachments.length === 0) {
          for (const other of all) await closeControl(other, log);
        }
        throw error;
      }
    }
  }

  /** The control parts that stay get their new configuration; those that are not needed any more end. */
  private async settleControls(
    before: readonly Attachment[],
    next: readonly Attachment[],
    started: readonly Attachment[],
    answers: readonly RuntimeAnswer[],
  ): Promise<void> {
    const { log } = this.environment;
    for (const attachment of next) {
      const old = before.find(({ id }) => id === attachment.id);
      if (old === undefined || started.includes(attachment)) continue;
      if (isDeepStrictEqual(old.config, attachment.config)) continue;
      try {
        await attachment.control?.reconfigure?.(attachment.config);
      } catch (error) {
        const reason = messageOf(error);
        log.error("a control part can't be reconfigured", {
          policy: attachment.policy.name,
          reason,
        });
      }
    }
    for (const old of before) {
      const stays = next.find(({ control }) => control !== undefined && control === old.control);
      if (stays !== undefined) continue;
      const leaves = answers.filter(({ leaving }) => leaving.includes(old.id));
      const runtimes = leaves.map(({ runtime }) => runtime);
      if (!this.lastWords.keep(old, runtimes)) await closeControl(old, log);
    }
  }

  private tell(request: ChangeRequest, revision: number, changes: readonly PolicyChange[]): void {
    const { log } = this.environment;
    for (const { kind, policy, detail } of changes) {
      log.info(kind, { policy, detail, revision, by: request.who.via });
    }
  }
}

function plannedOf(attachments: readonly Attachment[], runtime: number): PlannedPolicy[] {
  return attachments
    .filter(({ policy }) => policy.enabled)
    .map((attachment) => plannedFor(attachment, runtime));
}

/** Whether a control part is to be started: for what is new, or has new code. */
function needsControl(before: readonly Attachment[], next: Attachment): boolean {
  const old = before.find(({ id }) => id === next.id);
  return old === undefined || hasOtherCode(old, next);
}

/** What is loaded needs its files no more; and nobody loads them again, once nothing that runs has them. */
function discardCode(before: readonly Attachment[], next: readonly Attachment[]): void {
  const kept = new Set(next.map(({ module }) => module.compiled.path));
  for (const { module } of before) {
    const { path } = module.compiled;
    if (!kept.has(path)) removeModuleCache(dirname(path));
  }
}

/** The costs of all steps by runtime. */
function costsOf(
  loading: ReadonlyMap<number, number>,
  steps: readonly (readonly RuntimeAnswer[])[],
): RuntimeCost[] {
  const [prepared = [], ...rest] = steps;
  return prepared.map((first) => {
    const later = rest.flat().filter(({ runtime }) => runtime === first.runtime);
    return {
      runtime: first.runtime,
      prepareMicros: Math.round(Math.max(first.micros, loading.get(first.runtime) ?? 0)),
      pauseMicros: Math.round(later.reduce((sum, { micros }) => sum + micros, 0)),
      bindings: first.bindings,
      openCalls: Math.max(first.openCalls, ...later.map(({ openCalls }) => openCalls)),
      moved: later.reduce((sum, { moved }) => sum + moved, 0),
    };
  });
}
