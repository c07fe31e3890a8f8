/** Runs one policy without a daemon: its real engine and real codecs, with a clock that stands still. */
import type { DescService } from "@bufbuild/protobuf";
import { KoalaError, Origin, Status } from "@koala/interface";
import type {
  AttemptOptions,
  Caller,
  ControlPart,
  MirrorOptions,
  PolicyDefinition,
} from "@koala/policy";
import {
  buildChain,
  type Chain,
  isSelected,
  type LiveCall,
  Passage,
  runRequest,
  runResponse,
  runRoute,
  Slot,
  type SlotHost,
} from "@koala/policy/engine";
import { type MethodSchema, type ServiceSchema, serviceSchemaOf } from "@koala/schema";
import { Prng } from "@koala/testing";
import { checkConfig, describeProblems } from "./check-config.ts";
import { FakeAttempt } from "./fake-attempt.ts";
import { FakeClock } from "./fake-clock.ts";
import { FakeEndpoint } from "./fake-endpoint.ts";
import { FakeSource } from "./fake-source.ts";
import { type CallOutcome, HarnessCall, type Reply } from "./harness-call.ts";
import type { CallOptions, HarnessOptions, Mirrored, Said } from "./harness-options.ts";

/** Of everything that a policy says, so many are kept. */
const saidMax = 10_000;

const someone: Caller = { app: "test", host: "", uid: 1000, pid: 4242, labels: {} };

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
  /** Copies of requests that it sent with `ctx.mirror`. */
  readonly mirrored: Mirrored[] = [];
  /** Attempts that it made with `ctx.attempt`. */
  readonly attempts: FakeAttempt[] = [];
  /** Why the policy was taken out of service; "" while it works. */
  failure = "";
  /** Answer of `ctx.notify`; false is what a policy gets when too many wait. */
  takesNotices = true;
  /** Answer of `ctx.mirror`. */
  takesMirrors = true;
  /** For suites: the engine's place of the policy. */
  readonly slot: Slot;
  readonly service: ServiceSchema;
  private readonly options: HarnessOptions;
  private readonly prng: Prng;
  private readonly woken: HarnessCall[] = [];
  private readonly work: (() => void)[] = [];
  private readonly byLive = new WeakMap<LiveCall, HarnessCall>();
  private readonly chains = new Map<string, Chain | null>();
  private control: ControlPart | undefined = undefined;
  private callCount = 0;

  constructor(options: HarnessOptions) {
    this.options = options;
    this.clock = options.clock ?? new FakeClock();
    this.clock.onStep(() => this.settle());
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
    return this.begin(
      method,
      request,
      options,
      options.respond ?? this.options.respond ?? plan(options),
    );
  }

  /** Makes a call and leaves the answer to the test: `call.answer()`, `call.cancel()`. */
  start(method: string, request: object = {}, options: CallOptions = {}): HarnessCall {
    return this.begin(method, request, options, undefined);
  }

  /** Lets time go by: timers and deadlines that become due fire at their moments, in order. */
  advance(ms: number): void {
    this.clock.advance(ms);
    this.throwFailure();
  }

  /** Another configuration; throws `ERR_HARNESS_CONFIG` and changes nothing if it is not in order. */
  reconfigure(config: unknown): void {
    const checked = this.checked(this.slot.definition, config);
    this.slot.reconfigure(checked);
    this.chains.clear();
    this.settle();
    this.throwFailure();
  }

  /** Other code takes over, with the state of the old. Throws what its `import` throws; the old code stays then. */
  upgrade(policy: PolicyDefinition, config: unknown = this.options.config ?? {}): void {
    this.slot.upgrade(policy, this.checked(policy, config));
    this.chains.clear();
    this.settle();
    this.throwFailure();
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
    this.settle();
    this.slot.stop();
    const { control } = this;
    this.control = undefined;
    await control?.close();
    this.throwFailure();
  }

  private begin(
    name: string,
    request: object,
    options: CallOptions,
    responder: ((call: HarnessCall) => Reply) | undefined,
  ): HarnessCall {
    const method = this.methodOf(name);
    const { typeName: service } = this.service;
    const source = new FakeSource(
      {
        requestId: `test-${++this.callCount}`,
        target: options.target ?? service,
        service,
        method,
        caller: { ...someone, ...options.caller },
      },
      () => this.clock.nowMs,
      () => this.woken.push(call),
    );
    const call = new HarnessCall(
      { answer: (of, reply) => this.answerNow(of, reply), giveUp: (of) => this.giveUp(of) },
      source,
      responder,
    );
    this.byLive.set(call.live, call);
    source.request.put(request);
    source.request.setMetadata(options.metadata ?? {});
    source.request.isMalformed = options.malformed ?? false;
    if (options.traceparent !== undefined) source.trace = { ...options.traceparent, sampled: true };
    if (options.timeoutMs !== undefined) this.setDeadline(call, options.timeoutMs);
    const chain = this.chainFor(method, source);
    if (chain === null) this.send(call);
    else {
      call.live.begin(chain);
      this.proceed(call);
    }
    this.settle();
    this.throwFailure();
    return call;
  }

  private setDeadline(call: HarnessCall, timeoutMs: number): void {
    call.source.deadlineMs = this.clock.nowMs + timeoutMs;
    call.deadline = this.clock.timer(() =>
      this.end(call, "expired", Status.DEADLINE_EXCEEDED, Origin.LOCAL_DAEMON),
    );
    call.deadline.set(timeoutMs);
  }

  /** Runs the request through what is left of the chain. */
  private proceed(call: HarnessCall): void {
    const { live } = call;
    if (call.hasEnded || live.chain === null) return;
    const passage = runRequest(live, live.chain.steps.length);
    if (passage === Passage.HELD) call.outcome = "held";
    else if (passage === Passage.PASSED) this.send(call);
    else if (passage === Passage.DENIED) this.deny(call);
    else this.end(call, "malformed", Status.INTERNAL, Origin.APP);
  }

  private send(call: HarnessCall): void {
    call.outcome = "sent";
    const endpoint = this.choose(call, this.endpoints);
    if (endpoint === undefined) {
      const status = Status.UNAVAILABLE;
      this.answerNow(call, {
        status,
        origin: Origin.LOCAL_DAEMON,
        statusMessage: "no server is left",
      });
      return;
    }
    call.source.endpoint = endpoint;
    endpoint.inFlight++;
    const reply = call.responder?.(call);
    if (reply === undefined) return;
    const afterMs = reply.afterMs ?? 0;
    if (afterMs <= 0) this.answerNow(call, reply);
    else this.clock.timer(() => this.answerNow(call, reply)).set(afterMs);
  }

  private choose(call: HarnessCall, among: readonly FakeEndpoint[]): FakeEndpoint | undefined {
    const { chain } = call.live;
    if (among.length === 0 || chain === null || chain.routing.length === 0) return among[0];
    return runRoute(call.live, among)[0] as FakeEndpoint | undefined;
  }

  private answerNow(call: HarnessCall, reply: Reply): void {
    if (call.outcome !== "sent") return;
    const status = reply.status ?? Status.OK;
    const { response } = call.source;
    if (status === Status.OK) response.put(reply.reply ?? {});
    response.setMetadata(reply.trailers ?? {});
    const text = reply.statusMessage ?? "";
    this.end(call, "passed", status, reply.origin ?? Origin.REMOTE_APP, text);
    this.settle();
  }

  private deny(call: HarnessCall): void {
    const { denial } = call.live;
    call.deniedBy = denial.policy;
    call.rule = denial.rule;
    this.end(call, "denied", denial.status, Origin.POLICY, denial.message);
  }

  private giveUp(call: HarnessCall): void {
    this.end(call, "cancelled", Status.CANCELLED, Origin.APP);
    this.settle();
    this.throwFailure();
  }

  /** The one end of a call: policies see it, then the test. */
  private end(
    call: HarnessCall,
    outcome: CallOutcome,
    status: Status,
    origin: Origin,
    message = "",
  ): void {
    if (call.hasEnded) return;
    const { source, live } = call;
    call.deadline?.clear();
    if (source.endpoint !== undefined && call.outcome === "sent") source.endpoint.inFlight--;
    for (const attempt of this.attempts) if (attempt.owner === call) attempt.cancel();
    if (status !== Status.OK) source.response.clear();
    source.status = status;
    source.origin = origin;
    source.statusMessage = message;
    call.outcome = outcome;
    source.request.isGone = true;
    if (live.chain === null) return;
    runResponse(live, () => {
      const { denial } = live;
      source.response.clear();
      source.status = denial.status;
      source.origin = Origin.POLICY;
      source.statusMessage = denial.message;
      call.deniedBy = denial.policy;
      call.rule = denial.rule;
      call.outcome = "denied";
    });
  }

  /** Lets calls go on that were woken by what ran last, until nothing is left to do. */
  private settle(): void {
    for (;;) {
      const call = this.woken.shift();
      if (call !== undefined) {
        this.proceed(call);
        continue;
      }
      const work = this.work.shift();
      if (work === undefined) return;
      work();
    }
  }

  private attempt(live: LiveCall, options: AttemptOptions): FakeAttempt {
    const call = this.byLive.get(live)!;
    const number = this.attempts.filter(({ owner }) => owner === call).length + 1;
    const preferred = this.endpoints.filter((endpoint) => !options.avoid?.includes(endpoint));
    const endpoint = this.choose(call, preferred.length > 0 ? preferred : this.endpoints);
    const driver = {
      clock: this.clock,
      soon: (work: () => void) => void this.work.push(work),
      ended: (attempt: FakeAttempt, reply: Reply) => this.attemptEnded(attempt, reply),
    };
    const attempt = new FakeAttempt(driver, call, options, number, endpoint);
    this.attempts.push(attempt);
    call.source.endpoint = endpoint;
    const timeoutMs = options.timeoutMs ?? 0;
    if (endpoint === undefined) {
      attempt.expect({ status: Status.UNAVAILABLE, origin: Origin.LOCAL_DAEMON }, 0);
      return attempt;
    }
    const reply = call.responder?.(call);
    if (reply !== undefined) attempt.expect(reply, reply.afterMs ?? 0);
    if (timeoutMs > 0) {
      attempt.expect({ status: Status.DEADLINE_EXCEEDED, origin: Origin.LOCAL_DAEMON }, timeoutMs);
    }
    return attempt;
  }

  private attemptEnded(attempt: FakeAttempt, reply: Reply): void {
    const { owner: call } = attempt;
    if (call.hasEnded) return;
    const isFinal = this.slot.guard("onEnd", () => attempt.options.onEnd(attempt), true);
    if (isFinal !== true || call.hasEnded) return;
    call.source.endpoint = attempt.endpoint;
    const { response } = call.source;
    if (attempt.status === Status.OK) response.put(reply.reply ?? {});
    response.setMetadata(reply.trailers ?? {});
    this.end(call, "passed", attempt.status, attempt.origin, reply.statusMessage ?? "");
  }

  private mirror(live: LiveCall, options: MirrorOptions): boolean {
    if (!this.takesMirrors) return false;
    const { request, method } = this.byLive.get(live)!.source;
    const { target, timeoutMs } = options;
    const copy = request.copy() ?? {};
    this.mirrored.push({ target, timeoutMs, method: method.name, request: copy });
    this.work.push(() => this.slot.guard("onEnd", () => options.onEnd?.(Status.OK, 0)));
    return true;
  }

  private chainFor(method: MethodSchema, { caller, target, service }: FakeSource): Chain | null {
    const key = JSON.stringify([method.name, target, caller]);
    let chain = this.chains.get(key);
    if (chain === undefined) {
      const side = this.options.side ?? "client";
      const facts = { service, method: method.name, target, caller, side };
      const slots = isSelected(this.options.match ?? {}, facts) ? [this.slot] : [];
      const [client, server] = side === "client" ? [slots, []] : [[], slots];
      chain = buildChain(client, server, { service, method });
      this.chains.set(key, chain);
    }
    return chain;
  }

  private slotHost(): SlotHost {
    return {
      runtime: this.options.runtime ?? { index: 0, count: 1 },
      running: new Int32Array(1),
      nowMs: () => this.clock.nowMs,
      nowMicros: this.options.nowMicros ?? (() => this.clock.nowMs * 1000),
      cpuMicros: () => this.clock.nowMs * 1000,
      random: () => this.prng.next() / 0x1_0000_0000,
      timer: (fire) => this.clock.timer(fire),
      warn: (_, what, fields) => note(this.warnings, { what, fields }),
      event: (_, what, fields) => note(this.events, { what, fields }),
      notify: (_, message) => this.notify(message),
      attempt: (_, call, options) => this.attempt(call, options),
      mirror: (_, call, options) => this.mirror(call, options),
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

  private throwFailure(): void {
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
