/**
 * What is attached, who has wanted it, and since when: the control plane of policies. Changes come from
 * the admin socket, from SIGHUP and from the start; each that succeeds is a revision.
 */
import { join } from "node:path";
import { KoalaError, messageOf } from "@koala/interface";
import type { PeerCredentials } from "@koala/native";
import type {
  ChangeAnswer,
  DiffAnswer,
  HistoryAnswer,
  ModuleStatus,
  PoliciesAnswer,
  PolicySpec,
  SetPolicyRequest,
  UpgradeModuleRequest,
} from "@koala/protocol";
import type { LoadedConfig } from "../config/index.ts";
import type { EventBus } from "../events/event-bus.ts";
import type { AreaLog } from "../log/index.ts";
import {
  type CarriedModule,
  type CompiledCode,
  closeModuleCache,
  compileCarried,
  compileModule,
  loadCarriedPolicy,
  loadPolicyModule,
  locateModule,
  type ModulePlaces,
  openModuleCache,
  type PolicyModule,
  sourcesReady,
  statusOfModule,
} from "../modules/index.ts";
import { type Attachment, filesOf } from "./attachment.ts";
import { carriedPolicies, isWanted, loadCarriedPolicies } from "./carried-policies.ts";
import {
  adminRequester,
  type ChangeRequest,
  ownRequester,
  type Requester,
} from "./change-request.ts";
import { haveSameTexts, settledNow, withoutChanged } from "./config-files.ts";
import {
  type DesiredState,
  findPolicy,
  hashOfFile,
  originOf,
  policiesOf,
  stateOfFile,
  withAttached,
  withFile,
  withoutPatch,
  withoutPolicy,
  withPatch,
} from "./desired-state.ts";
import { PolicyChanges } from "./policy-changes.ts";
import { patchOf, policyOf } from "./policy-spec.ts";
import { statusOfPolicies } from "./policy-status.ts";
import { keysForRestart } from "./restart-keys.ts";
import { modulesOf, otherCode, type RevisedModule } from "./revised-modules.ts";
import { diffOf, historyOf } from "./revision-answers.ts";
import { RevisionStore, type StoredRevision } from "./revision-store.ts";
import { specOf } from "./revision-text.ts";
import { type PolicyRuntime, RuntimeGroup } from "./runtime-group.ts";
import type { PolicyNotice } from "./runtime-plan.ts";
import { runtimesMaxOf } from "./runtimes-max.ts";

export interface PolicyManagerOptions {
  /** What the daemon was started with. */
  readonly loaded: LoadedConfig;
  /** Reads koala.toml again, with the same flags and variables; throws what is wrong with it. */
  reload: () => LoadedConfig;
  /** The runtimes that are there now. */
  runtimes: () => readonly PolicyRuntime[];
  readonly events: Pick<EventBus, "publish">;
  readonly log: AreaLog;
  /** Other levels of the log; says whether anything has changed. */
  setLogLevel: (config: LoadedConfig["config"]) => boolean;
}

/** Memory that the instances of a policy share. */
export interface SharedPolicyMemory {
  readonly name: string;
  readonly bytes: Uint8Array;
}

export class PolicyManager {
  private readonly options: PolicyManagerOptions;
  private readonly store: RevisionStore;
  private readonly group: RuntimeGroup;
  private readonly changes: PolicyChanges;
  /** The file as it was read last. */
  private loaded: LoadedConfig;
  private state: DesiredState;
  private openedCache: string | undefined;
  private isClosed = false;
  private hasBegun = false;
  /** Resolved when the runtimes have what they begin with, or never will. */
  private readonly begun: Promise<void>;
  private endBeginning: () => void = () => {};

  constructor(options: PolicyManagerOptions) {
    this.options = options;
    this.loaded = options.loaded;
    const { config } = options.loaded;
    this.store = new RevisionStore(join(config.daemon.prefix, "revisions"));
    this.state = stateOfFile(config.policies);
    this.group = new RuntimeGroup(options.runtimes);
    const { log } = options;
    this.begun = new Promise((resolve) => {
      this.endBeginning = resolve;
    });
    this.changes = new PolicyChanges({
      runtimes: runtimesMaxOf(config),
      host: config.daemon.name,
      cache: () => this.cache,
      log,
      group: this.group,
      places: () => this.places,
      file: () => ({ document: this.loaded.document, policies: this.loaded.config.policies }),
      record: (request, attachments) => this.record(request, attachments),
      revision: () => this.store.latest,
    });
  }

  /**
   * Before the runtimes start: what they begin with is loaded and checked. `carried`: code that the process
   * before this one ran. Throws what is wrong.
   */
  async start(carried: readonly CarriedModule[] = []): Promise<void> {
    const { config } = this.loaded;
    await sourcesReady;
    this.store.open();
    const { latest } = this.store;
    if (latest > 0) {
      const stored = this.store.read(latest);
      // A file that has changed on disk since counts from now on, as koala.toml does.
      this.state = { ...stored.state, files: withoutChanged(stored.state.files) };
      if (stored.fileHash !== hashOfFile(config.policies)) {
        const { state, notes } = withFile(this.state, config.policies);
        this.state = state;
        for (const note of notes) this.options.log.info("of what was done by hand", { note });
      }
    }
    await this.changes.inTurn(async () => {
      try {
        await this.changes.begin(this.state, this.codeOf(carried));
      } catch (error) {
        throw this.startError(error, latest);
      }
      this.state = this.withFiles(this.state);
    });
  }

  /** The daemon runs: what it began with is a revision, if koala.toml has changed since the last one. */
  recordStart(): void {
    const { latest } = this.store;
    const { policies } = this.loaded.config;
    try {
      if (latest === 0) return;
      const { fileHash, state } = this.store.read(latest);
      const isOther = fileHash !== hashOfFile(policies);
      const what = isOther ? "koala.toml has changed" : "a file of a policy has changed";
      const request = this.requestOf(ownRequester("start"), what, this.state);
      if (isOther || !haveSameTexts(state.files, this.state.files))
        this.record(request, this.changes.attachments);
    } catch (error) {
      this.options.log.error("what the daemon began with is not kept", {
        reason: messageOf(error),
      });
    }
  }

  /** The first runtimes are there: gives them what they begin with. Throws when a policy can't start. */
  async begin(): Promise<void> {
    await this.changes.inTurn(() => this.changes.beginAll());
    this.hasBegun = true;
    this.endBeginning();
  }

  /** Gives a runtime that takes the place of another what is in force. */
  async beginOne(runtime: PolicyRuntime): Promise<void> {
    await this.changes.inTurn(() => this.changes.beginOne(runtime));
  }

  /** Compiles a module that is no policy. Throws ERR_MODULE_…. */
  compile(path: string): CompiledCode {
    const located = locateModule(path, this.places);
    return {
      entry: located.entry,
      compiled: compileModule(located, this.places, this.cache),
    };
  }

  /** The code of policies that does not ship with the daemon, for the process that takes over. */
  saveModules(): CarriedModule[] {
    return carriedPolicies(this.changes.attachments);
  }

  /** As `compile`, from the text that the process before this one had. */
  compileCarried(carried: CarriedModule): CompiledCode {
    return compileCarried(carried, this.places, this.cache);
  }

  /** The code of the policies that are attached. */
  modules(): ModuleStatus[] {
    const users = new Map<string, Attachment[]>();
    for (const attachment of this.changes.attachments) {
      const { path } = attachment.module.compiled;
      users.set(path, [...(users.get(path) ?? []), attachment]);
    }
    return [...users.values()].map((attachments) =>
      statusOfModule(
        attachments[0]!.module,
        attachments.map(({ policy }) => policy.name),
      ),
    );
  }

  onNotice(notice: PolicyNotice): void {
    if (notice.op === "policies") {
      this.group.onAnswer(notice);
      return;
    }
    if (notice.op === "policy-ended") {
      this.changes.lastWords.onEnded(notice.id, notice.runtime);
      return;
    }
    const attachment = this.changes.attachmentOf(notice.id);
    if (notice.op === "policy-failed") {
      if (attachment !== undefined) this.failed(attachment, notice.runtime, notice.reason);
      return;
    }
    Atomics.sub(notice.waiting, 0, 1);
    try {
      attachment?.control?.onNotice?.(notice.message, notice.runtime);
    } catch (error) {
      const reason = messageOf(error);
      this.options.log.warn("a control part threw", { policy: attachment?.policy.name, reason });
    }
  }

  /** The runtime has ended: nobody waits for its answers any more. */
  runtimeLost(runtime: number): void {
    this.group.lost(runtime);
    this.changes.lastWords.lost(runtime);
  }

  /** Takes a policy out of service in all runtimes, because it has hung in one; returns its name. */
  quarantine(id: number, reason: string): string | undefined {
    const attachment = this.changes.attachments.find((item) => item.id === id);
    if (attachment === undefined) return undefined;
    for (const { index } of this.options.runtimes()) attachment.failures.set(index, reason);
    const { name, onFailure } = attachment.policy;
    this.options.events.publish("policy", "quarantined", { policy: name, onFailure, reason });
    // Not in turn: a change that is under way may be waiting for the runtime that hangs.
    this.group
      .ask(() => ({ name: "fail", id, reason }))
      .catch((error: unknown) => {
        this.options.log.warn("a policy can't be taken out", {
          policy: name,
          reason: messageOf(error),
        });
      });
    return name;
  }

  attach(spec: PolicySpec, dryRun: boolean, who: Requester): Promise<ChangeAnswer> {
    return this.change(() => {
      const policy = policyOf(spec, policiesOf(this.state));
      const next = withAttached(this.state, policy);
      return { ...this.requestOf(who, `attach ${policy.name}`, next), dryRun };
    });
  }

  detach(name: string, dryRun: boolean, who: Requester): Promise<ChangeAnswer> {
    return this.change(() => {
      const next = withoutPolicy(this.state, name);
      return { ...this.requestOf(who, `detach ${name}`, next), dryRun };
    });
  }

  set(request: SetPolicyRequest, who: Requester): Promise<ChangeAnswer> {
    return this.change(() => {
      const { name, reset = false, dryRun = false } = request;
      const base = reset ? withoutPatch(this.state, name) : this.state;
      const patch = patchOf(request, findPolicy(base, name).config);
      const keys = Object.keys(patch);
      const next = keys.length === 0 ? base : withPatch(base, name, patch);
      const what = [...(reset ? ["as in koala.toml"] : []), ...keys].join(", ");
      return { ...this.requestOf(who, `set ${name}: ${what}`, next), dryRun };
    });
  }

  /** Reads koala.toml again. What can't change while the daemon runs is named in the answer. */
  async apply(options: { reset: boolean; dryRun: boolean }, who: Requester): Promise<ChangeAnswer> {
    await this.begun;
    return await this.changes.inTurn(async () => {
      this.checkOpen();
      const { reset, dryRun } = options;
      const before = this.loaded;
      const after = this.options.reload();
      const needsRestart = keysForRestart(this.options.loaded, after);
      const base = reset ? stateOfFile(after.config.policies) : this.state;
      const merged = withFile(base, after.config.policies);
      const { notes } = merged;
      // Files that tables name are read anew, too.
      const next = { ...merged.state, files: {} };
      this.loaded = after;
      let answer: ChangeAnswer;
      try {
        this.checkDirectories(next);
        const summary = reset ? "apply koala.toml, nothing by hand" : "apply koala.toml";
        answer = await this.changes.carryOut({
          ...this.requestOf(who, summary, next),
          dryRun,
          notes,
          needsRestart,
        });
      } catch (error) {
        this.loaded = before;
        throw error;
      }
      if (dryRun) {
        this.loaded = before;
        return answer;
      }
      this.state = this.withFiles(next);
      if (this.options.setLogLevel(after.config)) {
        answer.notes.push(`the level of the log is ${after.config.log.level}`);
      }
      this.options.events.publish("config", "applied", {
        revision: answer.revision,
        changes: answer.changes.length,
        needsRestart: needsRestart.join(", "),
      });
      return answer;
    });
  }

  /** Policies as they were at a revision; koala.toml is left alone, and wins again once it is changed. */
  async rollback(revision: number, dryRun: boolean, who: Requester): Promise<ChangeAnswer> {
    let then: StoredRevision["modules"];
    const answer = await this.change(() => {
      const { state: stored, modules } = this.store.read(revision);
      then = modules;
      const state = { ...stored, files: settledNow(stored.files) };
      const notes = [
        "koala.toml was not changed: its policies count again when it differs from now on, or is applied",
      ];
      return { ...this.requestOf(who, `roll back to ${revision}`, state), dryRun, notes };
    });
    // Code is not rolled back: whoever asks for that should know.
    const now = dryRun ? {} : modulesOf(this.changes.attachments);
    answer.notes.push(...otherCode(then ?? {}, now));
    return answer;
  }

  /** Number of the newest revision; 0 when nothing was changed yet. */
  get revision(): number {
    return this.store.latest;
  }

  /** Does something while nothing about the policies changes. */
  async alone<T>(work: () => Promise<T>): Promise<T> {
    return await this.changes.inTurn(work);
  }

  /** What the instances of each policy share, for the process that takes over. */
  saveShared(): SharedPolicyMemory[] {
    return this.changes.attachments.map(({ policy: { name }, shared }) => {
      return { name, bytes: new Uint8Array(new Uint8Array(shared)) };
    });
  }

  /** Puts it where policies of the same name have theirs; before calls reach them. */
  loadShared(saved: readonly SharedPolicyMemory[]): void {
    for (const { name, bytes } of saved) {
      const found = this.changes.attachments.find(({ policy }) => policy.name === name);
      if (found?.shared.byteLength === bytes.length) new Uint8Array(found.shared).set(bytes);
    }
  }

  /** Policies that are attached. */
  get count(): number {
    return this.changes.attachments.length;
  }

  /** Whether a policy that is attached has its code from this module. */
  has(module: string): boolean {
    return this.usersOf(module).length > 0;
  }

  /** Newer code for a module, beside the old; its instances go on with their state. */
  upgrade(request: UpgradeModuleRequest, peer: PeerCredentials): Promise<ChangeAnswer> {
    const who = adminRequester(peer);
    const { module: use, path, dryRun = false } = request;
    return this.change(async () => {
      const users = this.usersOf(use);
      if (users.length === 0) {
        throw new KoalaError("ERR_POLICY_NAME", `no policy that is attached uses "${use}"`);
      }
      const upgrades = new Map<string, PolicyModule>();
      const paths = { ...this.state.paths };
      for (const { module: old } of users) {
        if (upgrades.has(old.use)) continue;
        if (path !== undefined) paths[old.use] = path;
        const from = path ?? old.from;
        const next = await loadPolicyModule(old.use, this.places, this.cache, from);
        checkSuccessor(old, next);
        upgrades.set(old.use, next);
      }
      const [next] = upgrades.values();
      const same = [...upgrades.values()].every(({ compiled }) =>
        users.some(({ module }) => module.compiled.path === compiled.path),
      );
      const notes = same ? [`the code at ${next!.entry} is the code that runs`] : [];
      const summary = `upgrade ${use} to ${next!.definition.version}`;
      const request = this.requestOf(who, summary, { ...this.state, paths });
      return { ...request, upgrades, dryRun, notes };
    });
  }

  async list(): Promise<PoliciesAnswer> {
    await this.begun;
    const answers = await this.group.ask(() => ({ name: "status" }));
    const policies = statusOfPolicies(this.changes.attachments, answers, (name) =>
      originOf(this.state, name),
    );
    return { revision: this.store.latest, policies };
  }

  /** For trials: where code may be, and what is attached. */
  get surroundings(): { places: ModulePlaces; policies: ReturnType<typeof policiesOf> } {
    return { places: this.places, policies: policiesOf(this.state) };
  }

  history(): HistoryAnswer {
    return historyOf(this.store);
  }

  /** Lines that differ; `from` is the one before `to`, and `to` the newest, unless given. */
  diff(from: number | undefined, to: number | undefined): DiffAnswer {
    return diffOf(this.store, from, to);
  }

  /** Ends the control parts. The runtimes are gone, or about to be. */
  async close(): Promise<void> {
    this.isClosed = true;
    this.endBeginning();
    this.group.lostAll();
    await this.changes.inTurn(() => this.changes.close());
    if (this.openedCache !== undefined) closeModuleCache(this.openedCache);
  }

  /** By `use`: the code of policies that the process before this one ran. */
  private codeOf(carried: readonly CarriedModule[]): Map<string, PolicyModule> {
    const { log } = this.options;
    const wanted = carried.filter((module) => isWanted(module, this.state));
    return loadCarriedPolicies(
      wanted,
      (module) => loadCarriedPolicy(module, this.places, this.cache),
      log,
    );
  }

  private get cache(): string {
    this.openedCache ??= openModuleCache(this.loaded.config.daemon.prefix);
    return this.openedCache;
  }

  private get places(): ModulePlaces {
    return this.loaded.config.modules;
  }

  private async change(make: () => ChangeRequest | Promise<ChangeRequest>): Promise<ChangeAnswer> {
    await this.begun;
    return await this.changes.inTurn(async () => {
      this.checkOpen();
      const request = await make();
      const answer = await this.changes.carryOut(request);
      if (!request.dryRun) {
        this.state = this.withFiles(request.next);
        for (const { kind, policy, detail } of answer.changes) {
          this.options.events.publish("policy", kind, {
            policy,
            detail,
            revision: answer.revision,
          });
        }
      }
      return answer;
    });
  }

  private requestOf(who: Requester, summary: string, next: DesiredState): ChangeRequest {
    const upgrades = new Map<string, PolicyModule>();
    return { who, summary, next, upgrades, dryRun: false, notes: [], needsRestart: [] };
  }

  /** Keeps a change as a revision; before the first one, what the daemon was started with. */
  private record(request: ChangeRequest, attachments: readonly Attachment[]): number {
    const write = (
      who: Requester,
      summary: string,
      state: DesiredState,
      modules: Record<string, RevisedModule>,
    ): void => {
      const revision = this.store.latest + 1;
      const time = new Date().toISOString();
      const policies = policiesOf(state).map(specOf);
      const fileHash = hashOfFile(this.loaded.config.policies);
      const what = { policies, state, fileHash, modules };
      this.store.write({ format: 1, revision, time, who, summary, ...what });
    };
    if (this.store.latest === 0) {
      const began = modulesOf(this.changes.attachments);
      write(ownRequester("start"), "start", this.state, began);
    }
    const files = filesOf(attachments);
    write(request.who, request.summary, { ...request.next, files }, modulesOf(attachments));
    this.options.events.publish("config", "revision", {
      revision: this.store.latest,
      summary: request.summary,
      policies: attachments.length,
      uid: request.who.uid,
      pid: request.who.pid,
    });
    return this.store.latest;
  }

  /** With the texts that are in force. */
  private withFiles(state: DesiredState): DesiredState {
    return { ...state, files: filesOf(this.changes.attachments) };
  }

  private usersOf(use: string): Attachment[] {
    return this.changes.attachments.filter(
      ({ policy, module }) => policy.use === use || module.definition.name === use,
    );
  }

  /** Code that runs must lie in directories that are still listed. */
  private checkDirectories(next: DesiredState): void {
    for (const { use } of policiesOf(next)) locateModule(next.paths[use] ?? use, this.places);
  }

  private failed({ policy, failures }: Attachment, runtime: number, reason: string): void {
    if (failures.has(runtime)) return;
    failures.set(runtime, reason);
    const { name, onFailure } = policy;
    this.options.events.publish("policy", "quarantined", {
      policy: name,
      runtime,
      onFailure,
      reason,
    });
  }

  private checkOpen(): void {
    if (this.hasBegun && !this.isClosed) return;
    throw new KoalaError("ERR_DAEMON_STOPPED", "the daemon is about to stop; nothing is changed");
  }

  private startError(error: unknown, latest: number): unknown {
    const byHand = this.state.attached.length + Object.keys(this.state.changed).length;
    if (!(error instanceof KoalaError) || latest === 0 || byHand === 0) return error;
    const folder = join(this.loaded.config.daemon.prefix, "revisions");
    const text = `${error.message}\nA part of the policies was attached or set by hand (revision ${latest}). To start with koala.toml alone, remove ${folder}`;
    return new KoalaError(error.code, text, { cause: error });
  }
}

/** Throws ERR_POLICY_UPGRADE when a module is no newer or older version of another. */
function checkSuccessor(old: PolicyModule, next: PolicyModule): void {
  const [a, b] = [old.definition, next.definition];
  if (a.name === b.name) return;
  throw new KoalaError(
    "ERR_POLICY_UPGRADE",
    `${next.entry} is the policy "${b.name}", but "${a.name}" is to be upgraded. To replace one by another, detach the one and attach the other`,
  );
}
