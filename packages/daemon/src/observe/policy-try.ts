/**
 * Tries policies without attaching them: records calls for a while, as a tap does, and runs the policies
 * over the copies in a thread of their own. Nothing that runs is changed.
 */
import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Worker } from "node:worker_threads";
import { KoalaError } from "@koala/interface";
import type { TryPolicyAnswer, TryPolicyRequest } from "@koala/protocol";
import { z } from "zod";
import { type PolicyConfig, parseConfig } from "../config/index.ts";
import type { AdminRegistry } from "../control/admin-registry.ts";
import { type ModulePlaces, removeModuleCache } from "../modules/index.ts";
import { plannedFor } from "../policies/attachment.ts";
import { planAttachments } from "../policies/attachment-plan.ts";
import { stateOfFile } from "../policies/desired-state.ts";
import type { KnownSchema, RawCall, TapOrder } from "./observe-orders.ts";
import type { RuntimeAsker } from "./runtime-asker.ts";
import type { Taps } from "./taps.ts";
import type { TriedPlan, TryOrder, TryResult } from "./try-orders.ts";

const recordMsMax = 60_000;
const callsMax = 10_000;
/** All that is recorded for one trial. */
const recordedBytesMax = 64 * 1024 * 1024;
const messageBytesMax = 1024 * 1024;
const callsPerSecond = 1000;
/** A trial that takes longer hangs in a policy. */
const trialMs = 20_000;
const workerMegabytes = 512;

const body: z.ZodType<TryPolicyRequest> = z.strictObject({
  toml: z
    .strictObject({ text: z.string().max(1024 * 1024), file: z.string().startsWith("/") })
    .optional(),
  name: z.string().min(1).max(64).optional(),
  forMs: z.number().int().min(1).max(recordMsMax),
  callsMax: z.number().int().min(1).max(callsMax),
}) as z.ZodType<TryPolicyRequest>;

/** What a trial needs to know of the policies that run. */
export interface PolicySurroundings {
  readonly places: ModulePlaces;
  /** All that are attached, enabled or not. */
  readonly policies: readonly PolicyConfig[];
}

export interface PolicyTryOptions {
  readonly asker: RuntimeAsker;
  readonly taps: Taps;
  readonly policies: () => PolicySurroundings;
}

interface Recording {
  readonly calls: RawCall[];
  readonly missed: number;
  readonly recordedMs: number;
}

export class PolicyTry {
  private readonly options: PolicyTryOptions;
  private isTrying = false;

  constructor(options: PolicyTryOptions) {
    this.options = options;
  }

  addRoutes(registry: AdminRegistry): void {
    registry.add({
      method: "POST",
      path: "/v1/policies/try",
      body,
      limitMs: recordMsMax + trialMs + 10_000,
      handle: ({ body: request }) => this.run(request),
    });
  }

  private async run(request: TryPolicyRequest): Promise<TryPolicyAnswer> {
    if (this.isTrying) {
      throw new KoalaError(
        "ERR_TRY_BUSY",
        "policies are being tried already; wait until that ends",
      );
    }
    this.isTrying = true;
    const cache = mkdtempSync(join(tmpdir(), "koala-try-"));
    try {
      const wanted = wantedBy(request, this.options.policies().policies);
      const policies = await this.plan(wanted, cache);
      const { calls, missed, recordedMs } = await this.record(policies, request);
      const schemas: Record<string, readonly KnownSchema[]> = {};
      for (const { record } of calls)
        schemas[record.service] ??= await this.schemasOf(record.service);
      const tried = await runTrial({ policies, calls, schemas });
      return { recordedMs, calls: calls.length, missed, ...tried };
    } finally {
      this.isTrying = false;
      removeModuleCache(cache);
    }
  }

  private async plan(wanted: readonly PolicyConfig[], cache: string): Promise<TriedPlan[]> {
    const { places } = this.options.policies();
    let id = 0;
    const attachments = await planAttachments({
      // Disabled ones are tried like all others.
      state: stateOfFile(wanted.map((policy) => ({ ...policy, enabled: true }))),
      ...{ current: [], upgrades: new Map(), places, runtimes: 1, file: undefined },
      cache: () => cache,
      nextId: () => ++id,
    });
    return attachments.map((attachment) => {
      return { ...plannedFor(attachment, 0), use: attachment.policy.use };
    });
  }

  /** Copies calls until there are enough, or time is up. */
  private async record(
    policies: readonly TriedPlan[],
    { forMs, callsMax: wanted }: TryPolicyRequest,
  ): Promise<Recording> {
    const { taps } = this.options;
    const calls: RawCall[] = [];
    let missed = 0;
    let bytes = 0;
    const startedMs = performance.now();
    let enough: () => void = () => {};
    const done = new Promise<void>((resolve) => {
      enough = resolve;
    });
    const [only, ...others] = policies;
    const { side: _, ...selector } = only!.selector;
    const order: Omit<TapOrder, "id"> = {
      selector: others.length === 0 ? selector : {},
      callsPerSecond,
      messageBytesMax,
    };
    const timer = setTimeout(enough, forMs);
    const id = await taps.openRaw(order, {
      take: (call) => {
        const messages = [...call.requests, ...call.replies];
        bytes += messages.reduce((sum, { content }) => sum + (content?.length ?? 0), 0);
        if (calls.length >= wanted) return;
        if (bytes > recordedBytesMax) missed++;
        else calls.push(call);
        if (calls.length === wanted) enough();
      },
      missed: (count) => {
        missed += count;
      },
    });
    try {
      await done;
    } finally {
      clearTimeout(timer);
      await taps.closeRaw(id);
    }
    return { calls, missed, recordedMs: Math.round(performance.now() - startedMs) };
  }

  private async schemasOf(service: string): Promise<KnownSchema[]> {
    const answers = await this.options.asker.ask({ name: "schemas", service });
    return answers.flatMap(({ schemas }) => schemas);
  }
}

function wantedBy(
  { toml, name }: TryPolicyRequest,
  attached: readonly PolicyConfig[],
): readonly PolicyConfig[] {
  if (toml !== undefined) {
    const { policies } = parseConfig(toml.text, toml.file);
    if (policies.length > 0) return policies;
    throw new KoalaError("ERR_TRY_POLICY", `${toml.file}: there is no [[policy]] in it`);
  }
  const found = attached.find((policy) => policy.name === name);
  if (found !== undefined) return [found];
  const names = attached.map((policy) => policy.name).join(", ") || "none";
  const text = `no policy "${name ?? ""}" is attached (there are: ${names}); give a file of TOML to try one that is not`;
  throw new KoalaError("ERR_TRY_POLICY", text);
}

/** Runs the trial in a thread that is ended when it takes too long. */
function runTrial(order: TryOrder): Promise<TryResult> {
  return new Promise((resolve, reject) => {
    const worker = new Worker(new URL("./try-worker.js", import.meta.url), {
      workerData: order,
      resourceLimits: { maxOldGenerationSizeMb: workerMegabytes },
      name: "koala-try",
    });
    // The daemon may stop meanwhile.
    worker.unref();
    let answer: TryResult | undefined;
    let reason = `it took longer than ${trialMs} ms`;
    const timer = setTimeout(() => void worker.terminate(), trialMs);
    worker.once("message", (result: TryResult) => {
      answer = result;
      void worker.terminate();
    });
    worker.once("error", (error) => {
      reason = error.message;
    });
    worker.once("exit", () => {
      clearTimeout(timer);
      if (answer !== undefined) resolve(answer);
      else
        reject(
          new KoalaError("ERR_TRY_FAILED", `the trial has failed, nothing has changed: ${reason}`),
        );
    });
  });
}
