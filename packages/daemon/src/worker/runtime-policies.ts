/**
 * The policies of a runtime as the control plane changes them: first everything is made ready beside what
 * runs, then it is put in place in one go. Runs between the polls of engines, so a step is the time that
 * calls stand still.
 */
import { isDeepStrictEqual } from "node:util";
import { KoalaError } from "@koala/interface";
import { definePolicy, type PolicyDefinition, z } from "@koala/policy";
import {
  isSelected,
  type Selector,
  Slot,
  type SlotHost,
  type SlotState,
} from "@koala/policy/engine";
import type { ServiceSchema } from "@koala/schema";
import type { Binding } from "../datapath/binding.ts";
import type { Attachment } from "../datapath/policy-chains.ts";
import type { AreaLog } from "../log/index.ts";
import { requireModule } from "../modules/require-module.ts";
import { withTexts } from "../policies/config-files.ts";
import type {
  PlannedPolicy,
  PlannedStatus,
  PolicyRefusal,
  PolicyStep,
  PolicyStepAnswer,
} from "../policies/runtime-plan.ts";
import { describe, methodRefusals, Refused, refusalOf, tryImport } from "./policy-trial.ts";
import { warmUp } from "./policy-warm-up.ts";

/** Loading code makes way for calls after this long; one file may take longer. */
const loadMicros = 500;

/** Messages of the policies of one runtime that may wait for the main thread. */
const messagesMax = 1024;

export interface RuntimePoliciesOptions {
  /** The chains that calls go through. */
  chains: {
    attach(attachments: readonly Attachment[]): void;
    readonly leavingIds: readonly number[];
  };
  host: SlotHost;
  /** That of the host; how many runtimes there are is known when policies begin. */
  place: { count: number };
  nowMicros: () => number;
  openCalls: () => number;
  bindings: () => Iterable<Binding>;
  schemas: () => Iterable<ServiceSchema>;
  log: AreaLog;
}

/** A policy of this runtime. */
interface Running {
  readonly slot: Slot;
  readonly planned: PlannedPolicy;
}

/** A policy that will run. `definition` and `config` are read already. */
interface Prepared extends Running {
  readonly definition: PolicyDefinition;
  readonly config: unknown;
  /** It was there before. */
  readonly before: Running | undefined;
}

export class RuntimePolicies {
  private readonly options: RuntimePoliciesOptions;
  private running: readonly Running[] = [];
  private prepared: readonly Prepared[] | undefined;
  /** Those of `prepared` that went on to new code, with the old one. */
  private upgraded: { slot: Slot; definition: PolicyDefinition; config: unknown }[] = [];
  private readonly waiting = new Int32Array(new SharedArrayBuffer(4));

  constructor(options: RuntimePoliciesOptions) {
    this.options = options;
  }

  /** Carries out a step; never throws. */
  carryOut(step: PolicyStep): PolicyStepAnswer {
    const begin = this.options.nowMicros();
    const refusals: PolicyRefusal[] = [];
    let bindings = 0;
    let moved = 0;
    let loaded = 0;
    switch (step.name) {
      case "load":
        loaded = this.load(step.files, begin + loadMicros);
        break;
      case "begin":
        this.options.place.count = step.runtimes;
        this.begin(step.policies, refusals);
        break;
      case "prepare":
        this.prepare(step.policies, refusals);
        break;
      case "upgrade":
        moved = this.upgrade(refusals);
        break;
      case "commit":
        // A runtime that was made anew since the change was prepared.
        if (this.prepared === undefined) this.prepare(step.policies, refusals);
        bindings = this.commit();
        break;
      case "abort":
        this.abort();
        break;
      case "fail":
        this.slotOf(step.id)?.fail(step.reason);
        break;
      case "status":
    }
    const micros = this.options.nowMicros() - begin;
    if (step.name === "prepare" && refusals.length === 0) bindings = this.touched();
    return {
      refusals,
      micros,
      bindings,
      moved,
      loaded,
      openCalls: this.options.openCalls(),
      policies: step.name === "status" ? this.status() : [],
      leaving: step.name === "commit" ? this.options.chains.leavingIds : [],
    };
  }

  /** A service has come that was not known before: says what policies have against its methods. */
  checkService(schema: ServiceSchema): void {
    for (const { slot, planned } of this.running) {
      if (slot.failure !== "") continue;
      for (const refusal of methodRefusals(slot.definition, slot.ctx.config, planned, [schema])) {
        this.options.log.error("a policy does not fit a method", {
          policy: planned.name,
          service: schema.typeName,
          reason: refusal.message,
        });
        this.options.host.event(slot, "unfit", {
          service: schema.typeName,
          reason: refusal.message,
        });
      }
    }
  }

  /** For the host of the slots: a message to the main thread, if not too many wait there. */
  admitMessage(): Int32Array | undefined {
    // Only this thread adds, so looking before adding is safe.
    if (Atomics.load(this.waiting, 0) >= messagesMax) return undefined;
    Atomics.add(this.waiting, 0, 1);
    return this.waiting;
  }

  /** All policies as plain data, for the process that takes over; one that can't hand its state over fails. */
  saveStates(): SlotState[] {
    return this.running.map(({ slot }) => {
      try {
        return structuredClone(slot.save());
      } catch (error) {
        const { name } = slot;
        throw new KoalaError(
          "ERR_POLICY_EXPORT",
          `the policy ${name} can't hand its state over: ${describe(error)}; detach it, or mend its "export"`,
        );
      }
    });
  }

  /** Policies of the same name go on with what `saveStates` gave. Throws when one can't. */
  loadStates(states: readonly SlotState[]): void {
    for (const saved of states) {
      const slot = this.running.find(({ planned }) => planned.name === saved.name)?.slot;
      try {
        slot?.load(saved);
      } catch (error) {
        throw new KoalaError(
          "ERR_POLICY_UPGRADE",
          `the policy ${saved.name} can't go on with the state it is handed: ${describe(error)}`,
        );
      }
    }
  }

  /** The slot of an attachment. */
  slotOf(id: number): Slot | undefined {
    return this.running.find(({ planned }) => planned.id === id)?.slot;
  }

  private load(files: readonly string[], untilMicros: number): number {
    let loaded = 0;
    do {
      try {
        requireModule(files[loaded]!);
      } catch {
        // Whatever it is, `prepare` meets it again, and has somebody to tell.
      }
      loaded++;
    } while (loaded < files.length && this.options.nowMicros() < untilMicros);
    return loaded;
  }

  /** Before there are calls. */
  private begin(policies: readonly PlannedPolicy[], refusals: PolicyRefusal[]): void {
    this.abort();
    warmUp(this.options.host);
    this.prepared = policies.map((planned) => this.prepareFirst(planned, refusals));
    this.commit();
  }

  private prepare(policies: readonly PlannedPolicy[], refusals: PolicyRefusal[]): void {
    this.abort();
    const prepared: Prepared[] = [];
    this.prepared = prepared;
    for (const planned of policies) {
      try {
        prepared.push(this.prepareOne(planned));
      } catch (error) {
        refusals.push(refusalOf(planned, error));
      }
    }
    if (refusals.length > 0) this.abort();
  }

  private prepareOne(planned: PlannedPolicy): Prepared {
    const before = this.running.find((running) => running.planned.id === planned.id);
    if (planned.failure !== "") {
      // It is out of service and nothing of it has changed: so it stays.
      if (before === undefined) return this.outOfService(planned, planned.failure);
      const { slot } = before;
      return { slot, planned, definition: slot.definition, config: slot.ctx.config, before };
    }
    const definition = requireModule(planned.path) as PolicyDefinition;
    const config = definition.config.parse(withTexts(definition, planned.config, planned.files));
    const [problem] = methodRefusals(definition, config, planned, this.options.schemas());
    if (problem !== undefined) throw new Refused(problem);
    // New code for a policy that is out of service takes nothing over from it.
    const isFresh =
      before === undefined || (before.slot.failure !== "" && before.slot.definition !== definition);
    if (isFresh) {
      const slot = this.createSlot(planned, definition, config);
      return { slot, planned, definition, config, before: undefined };
    }
    const { slot } = before;
    if (definition !== slot.definition) tryImport(slot, definition, config, planned);
    return { slot, planned, definition, config, before };
  }

  /** As `prepareOne`, but a policy that can't start is in its place all the same, out of service. */
  private prepareFirst(planned: PlannedPolicy, refusals: PolicyRefusal[]): Prepared {
    try {
      return this.prepareOne(planned);
    } catch (error) {
      const refusal = refusalOf(planned, error);
      refusals.push(refusal);
      return this.outOfService(planned, refusal.message);
    }
  }

  /** What becomes of its calls is up to `onFailure`; its own code is not asked for anything. */
  private outOfService(planned: PlannedPolicy, failure: string): Prepared {
    const config = z.unknown();
    const definition = definePolicy({ name: planned.name, version: "0.0.0", config });
    const slot = this.createSlot(planned, definition as unknown as PolicyDefinition, undefined);
    slot.fail(failure);
    return { slot, planned, definition: slot.definition, config: undefined, before: undefined };
  }

  private createSlot(planned: PlannedPolicy, definition: PolicyDefinition, config: unknown): Slot {
    try {
      return new Slot({
        id: planned.id,
        name: planned.name,
        definition,
        config,
        shared: planned.shared,
        onFailure: planned.onFailure,
        budgetMicros: planned.budgetMicros,
        host: this.options.host,
      });
    } catch (error) {
      const message = `start threw: ${describe(error)}`;
      throw new Refused({ code: "ERR_POLICY_START", policy: planned.name, message });
    }
  }

  private upgrade(refusals: PolicyRefusal[]): number {
    for (const { slot, planned, definition, config, before } of this.prepared ?? []) {
      if (before === undefined || definition === slot.definition) continue;
      const old = { slot, definition: slot.definition, config: slot.ctx.config };
      try {
        slot.upgrade(definition, config);
        this.upgraded.push(old);
      } catch (error) {
        const message = `the new code can't take the state of the old: ${describe(error)}`;
        refusals.push({ code: "ERR_POLICY_UPGRADE", policy: planned.name, message });
        break;
      }
    }
    return this.upgraded.length;
  }

  private commit(): number {
    const { prepared } = this;
    if (prepared === undefined) return 0;
    const bindings = this.touched();
    const moved = new Set(this.upgraded.map(({ slot }) => slot));
    for (const { slot, planned, config, before } of prepared) {
      slot.onFailure = planned.onFailure;
      slot.budgetMicros = planned.budgetMicros;
      if (before === undefined || moved.has(slot)) continue;
      // What it is read as can change by itself: with a file that it names.
      const isOther = !isSame(before.planned.config, planned.config);
      if (isOther || !isDeepStrictEqual(slot.ctx.config, config)) slot.reconfigure(config);
    }
    this.running = prepared.map(({ slot, planned }) => ({ slot, planned }));
    this.options.chains.attach(
      prepared.map(({ slot, planned: { selector } }) => ({ slot, selector })),
    );
    this.prepared = undefined;
    this.upgraded = [];
    return bindings;
  }

  private abort(): void {
    for (const { slot, definition, config } of this.upgraded.splice(0)) {
      try {
        slot.upgrade(definition, config);
      } catch (error) {
        slot.fail(`the code before an upgrade can't go on: ${describe(error)}`);
      }
    }
    for (const { slot, before } of this.prepared ?? []) if (before === undefined) slot.stop();
    this.prepared = undefined;
  }

  private status(): PlannedStatus[] {
    return this.running.map(({ slot, planned }) => ({
      id: planned.id,
      failure: slot.failure,
      counters: {
        requests: slot.requests,
        denials: slot.denials,
        held: slot.held.size,
        ...slot.ctx.counters,
      },
    }));
  }

  /** Bindings that a policy acts on which is new, gone, or other than it was. */
  private touched(): number {
    const selectors: Selector[] = [];
    const kept = new Map(this.prepared?.map((item) => [item.planned.id, item]));
    for (const { planned } of this.running) {
      const next = kept.get(planned.id)?.planned;
      if (next !== undefined && isSame(next, planned)) kept.delete(planned.id);
      else selectors.push(planned.selector);
    }
    for (const { planned } of kept.values()) selectors.push(planned.selector);
    let count = 0;
    for (const binding of this.options.bindings()) {
      if (selectors.some((selector) => isConcerned(selector, binding))) count++;
    }
    return count;
  }
}

/** Whether a selector takes calls of any method of a binding, at either side. */
function isConcerned(selector: Selector, { schema, target, identity: caller }: Binding): boolean {
  const { side: _, ...anywhere } = selector;
  return schema.methods.some((method) =>
    isSelected(anywhere, {
      service: schema.typeName,
      method: method.name,
      target,
      caller,
      side: selector.side ?? "client",
    }),
  );
}

function isSame(a: unknown, b: unknown): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}
