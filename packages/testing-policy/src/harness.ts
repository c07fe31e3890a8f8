/** Runs one policy without a daemon: its real engine and real codecs, with a clock that stands still. */
import type { DescService } from "@bufbuild/protobuf";
import { KoalaError } from "@koala/interface";
import type { ControlPart, PolicyDefinition } from "@koala/policy";
import { Slot, type SlotHost } from "@koala/policy/engine";
import { type MethodSchema, type ServiceSchema, serviceSchemaOf } from "@koala/schema";
import { Prng } from "@koala/testing";
import { CallRunner } from "./call-runner.ts";
import { checkConfig, describeProblems } from "./check-config.ts";
import type { FakeAttempt } from "./fake-attempt.ts";
import { FakeClock } from "./fake-clock.ts";
import { FakeEndpoint } from "./fake-endpoint.ts";
import type { HarnessCall, Reply } from "./harness-call.ts";
import type { CallOptions, HarnessOptions, Mirrored, Said } from "./harness-options.ts";
import { HarnessStream } from "./harness-stream.ts";

/** Of everything that a policy says, so many are kept. */
const saidMax = 10_000;

/** Makes a harness; throws `ERR_HARNESS_CONFIG` for a configuration that a daemon would refuse. */
export function createPolicyHarness(options: HarnessOptions): PolicyHarness {
  return new PolicyHarness(options);
}

/** One instance of a policy, and the calls that it gets to see. Made by `createPolicyHarness`. */
export class PolicyHarness {
  readonly clock: FakeClock;
  readonly endpoints: FakeEndpoint[];
  /** What the policy said with `ctx.warn`, `ctx.event` and `ctx.notify`, oldest first. */
  readonly warnings: Said[] = [];
  readonly events: Said[] = [];
  readonly notices: unknown[] = [];
  /** Why the policy was taken out of service; "" while it works. */
  failure = "";
  /** Answer of `ctx.notify`; false is what a policy gets when too many wait. */
  takesNotices = true;
  /** Answer of `ctx.mirror`. */
  takesMirrors = true;
  /** For suites: the engine's place of the policy. */
  readonly slot: Slot;
  readonly service: ServiceSchema;
  readonly options: HarnessOptions;
  private readonly prng: Prng;
  private readonly runner: CallRunner;
  private control: ControlPart | undefined = undefined;

  constructor(options: HarnessOptions) {
    this.options = options;
    this.clock = options.clock ?? new FakeClock();
    this.prng = new Prng(options.seed ?? 1);
    this.service = isDescriptor(options.service)
      ? serviceSchemaOf(options.service)
      : options.service;
    this.endpoints = (options.endpoints ?? ["server"]).map((init) => new FakeEndpoint(init));
    const { policy } = options;
    const config = this.checked(policy, options.config ?? {});
    const { count } = options.runtime ?? { count: 1 };
    this.slot = new Slot({
      id: 1,
      name: options.name ?? policy.name,
      definition: policy,
      config,
      shared:
        options.shared ?? new SharedArrayBuffer(policy.sharedBytes?.(config as never, count) ?? 0),
      onFailure: options.onFailure ?? "closed",
      // No machine is too slow for a test.
      budgetMicros: Number.POSITIVE_INFINITY,
      host: this.slotHost(),
    });
    this.runner = new CallRunner(this);
    this.clock.onStep(() => this.runner.settle());
  }

  /** Copies of requests that it sent with `ctx.mirror`. */
  get mirrored(): readonly Mirrored[] {
    return this.runner.mirrored;
  }

  /** Attempts that it made with `ctx.attempt`. */
  get attempts(): readonly FakeAttempt[] {
    return this.runner.attempts;
  }

  /** `ctx.counters`. */
  get counters(): Readonly<Record<string, number>> {
    return this.slot.ctx.counters;
  }

  /** `ctx.state`. */
  get state(): unknown {
    return this.slot.ctx.state;
  }

  /** `ctx.shared`, for a harness that stands for another runtime. */
  get shared(): SharedArrayBuffer {
    return this.slot.ctx.shared;
  }

  /** Calls that the policy holds. */
  get held(): number {
    return this.slot.held.size;
  }

  /** Makes a call that is answered as `options` say (OK and an empty message when they don't). */
  call(method: string, request: object = {}, options: CallOptions = {}): HarnessCall {
    return this.runner.begin(
      this.methodOf(method),
      request,
      options,
      options.respond ?? this.options.respond ?? plan(options),
    );
  }

  /** Makes a call and leaves the answer to the test: `call.answer()`, `call.cancel()`. */
  start(method: string, request: object = {}, options: CallOptions = {}): HarnessCall {
    return this.runner.begin(this.methodOf(method), request, options, undefined);
  }

  /**
   * Makes a call of a method that takes or returns a stream; the test sends the messages of both sides, and
   * ends it. `request` is that of a method whose replies alone are a stream.
   */
  stream(
    method: string,
    { request = {}, ...options }: CallOptions & { readonly request?: object } = {},
  ): HarnessStream {
    const schema = this.methodOf(method);
    if (schema.kind === "unary") {
      throw new KoalaError(
        "ERR_HARNESS_METHOD",
        `${this.service.typeName}/${method} neither takes nor returns a stream; use call or start`,
      );
    }
    return new HarnessStream(this.runner, this.runner.begin(schema, request, options, undefined));
  }

  /** Lets time go by: timers and deadlines that become due fire at their moments, in order. */
  advance(ms: number): void {
    this.clock.advance(ms);
    this.check();
  }

  /** Another configuration; throws `ERR_HARNESS_CONFIG` and changes nothing if it is not in order. */
  reconfigure(config: unknown): void {
    const checked = this.checked(this.slot.definition, config);
    this.slot.reconfigure(checked);
    this.runner.forgetChains();
    this.runner.settle();
    this.check();
  }

  /** Other code takes over, with the state of the old. Throws what its `import` throws; the old code stays then. */
  upgrade(policy: PolicyDefinition, config: unknown = this.options.config ?? {}): void {
    this.slot.upgrade(policy, this.checked(policy, config));
    this.runner.forgetChains();
    this.runner.settle();
    this.check();
  }

  /** Starts the part that runs on the daemon's main thread; it gets all notices from then on. */
  async startControl(): Promise<ControlPart | undefined> {
    const { slot, options } = this;
    const started = await slot.definition.control?.({
      name: slot.name,
      config: slot.ctx.config,
      shared: slot.ctx.shared,
      runtimes: options.runtime?.count ?? 1,
      host: "test-host",
      warn: (what, fields = {}) => note(this.warnings, { what, fields }),
    });
    this.control = started;
    return started;
  }

  /** Detaches the policy: held calls go on without it, its control part ends. */
  async stop(): Promise<void> {
    this.slot.detach();
    this.runner.settle();
    this.slot.stop();
    const { control } = this;
    this.control = undefined;
    await control?.close();
    this.check();
  }

  private slotHost(): SlotHost {
    return {
      runtime: this.options.runtime ?? { index: 0, count: 1 },
      running: new Int32Array(1),
      nowMs: () => this.clock.nowMs,
      nowMicros: this.options.nowMicros ?? (() => this.clock.nowMs * 1000),
      cpuMicros: () => this.clock.nowMs * 1000,
      round: { serial: 0 },
      random: () => this.prng.next() / 0x1_0000_0000,
      timer: (fire) => this.clock.timer(fire),
      warn: (_, what, fields) => note(this.warnings, { what, fields }),
      event: (_, what, fields) => note(this.events, { what, fields }),
      notify: (_, message) => this.notify(message),
      attempt: (_, call, options) => this.runner.attempt(call, options),
      mirror: (_, call, options) => this.takesMirrors && this.runner.mirror(call, options),
      failed: (_, reason) => {
        this.failure = reason;
      },
    };
  }

  private notify(message: unknown): boolean {
    if (!this.takesNotices) return false;
    // As over a message port: the other side gets a copy, and what can't be copied is found here.
    const copy: unknown = structuredClone(message);
    note(this.notices, copy);
    this.control?.onNotice?.(copy, this.options.runtime?.index ?? 0);
    return true;
  }

  private checked(policy: PolicyDefinition, raw: unknown): unknown {
    const result = checkConfig(policy, raw, this.service, this.options.match);
    if (result.ok) return result.config;
    throw new KoalaError(
      "ERR_HARNESS_CONFIG",
      `the configuration of policy ${policy.name} is refused: ${describeProblems(result.problems)}`,
    );
  }

  private methodOf(name: string): MethodSchema {
    const method = this.service.methods.find((candidate) => candidate.name === name);
    if (method !== undefined) return method;
    const names = this.service.methods.map((candidate) => candidate.name).join(", ");
    throw new KoalaError(
      "ERR_HARNESS_METHOD",
      `${this.service.typeName} has no method ${JSON.stringify(name)}; it has ${names}`,
    );
  }

  /** Throws if the policy has failed, unless the test allows it. */
  check(): void {
    if (this.failure === "" || this.options.allowFailure === true) return;
    throw new KoalaError(
      "ERR_HARNESS_FAILURE",
      `the policy ${this.slot.name} failed, a daemon would take it out of service: ${this.failure}`,
    );
  }
}

function plan(options: CallOptions): () => Reply {
  return () => options;
}

function note<T>(list: T[], item: T): void {
  if (list.length < saidMax) list.push(item);
}

function isDescriptor(service: DescService | ServiceSchema): service is DescService {
  return "kind" in service;
}
