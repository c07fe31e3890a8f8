/** The way of a harness's calls: through the policy, to a server that is not there, and back. */
import { Origin, Status } from "@koala/interface";
import type { AttemptOptions, Caller, MirrorOptions } from "@koala/policy";
import {
  buildChain,
  type Chain,
  isSelected,
  type LiveCall,
  Passage,
  runRequest,
  runResponse,
  runRoute,
  runStreamMessage,
  type Slot,
} from "@koala/policy/engine";
import type { MethodSchema, ServiceSchema } from "@koala/schema";
import { FakeAttempt } from "./fake-attempt.ts";
import type { FakeClock } from "./fake-clock.ts";
import type { FakeEndpoint } from "./fake-endpoint.ts";
import { FakeSource, returnsStream, takesStream } from "./fake-source.ts";
import { type CallOutcome, HarnessCall, type Reply, type Responder } from "./harness-call.ts";
import type { CallOptions, HarnessOptions, Mirrored } from "./harness-options.ts";
import type { HarnessMessage } from "./harness-stream.ts";

const someone: Caller = { app: "test", host: "", uid: 1000, pid: 4242, labels: {} };

/** What the calls of a harness have in common. */
export interface Setting {
  readonly clock: FakeClock;
  readonly endpoints: readonly FakeEndpoint[];
  readonly slot: Slot;
  readonly service: ServiceSchema;
  readonly options: HarnessOptions;
  /** Throws if the policy has failed, and that is not what the test is about. */
  check(): void;
}

export class CallRunner {
  /** Copies of requests that the policy has sent elsewhere. */
  readonly mirrored: Mirrored[] = [];
  readonly attempts: FakeAttempt[] = [];
  private readonly setting: Setting;
  private readonly woken: HarnessCall[] = [];
  private readonly work: (() => void)[] = [];
  private readonly byLive = new WeakMap<LiveCall, HarnessCall>();
  private readonly chains = new Map<string, Chain | null>();
  private callCount = 0;

  constructor(setting: Setting) {
    this.setting = setting;
  }

  /** The policy is other than before: chains are made anew. */
  forgetChains(): void {
    this.chains.clear();
  }

  /** Makes a call; `responder` answers it, or nobody does. */
  begin(
    method: MethodSchema,
    request: object,
    options: CallOptions,
    responder: Responder | undefined,
  ): HarnessCall {
    const { typeName: service } = this.setting.service;
    const source = new FakeSource(
      {
        requestId: `test-${++this.callCount}`,
        target: options.target ?? service,
        service,
        method,
        caller: { ...someone, ...options.caller },
      },
      () => this.setting.clock.nowMs,
      () => this.woken.push(call),
    );
    const call = new HarnessCall(
      { answer: (of, reply) => this.answerNow(of, reply), giveUp: (of) => this.giveUp(of) },
      source,
      responder,
    );
    this.byLive.set(call.live, call);
    if (!takesStream(method)) source.request.put(request);
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
    this.setting.check();
    return call;
  }

  private setDeadline(call: HarnessCall, timeoutMs: number): void {
    call.source.deadlineMs = this.setting.clock.nowMs + timeoutMs;
    call.deadline = this.setting.clock.timer(() =>
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
    const endpoint = this.choose(call, this.setting.endpoints);
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
    for (const message of call.waiting.splice(0)) this.runMessage(call, message);
    if (call.hasEnded) return;
    const reply = call.responder?.(call);
    if (reply === undefined) return;
    const afterMs = reply.afterMs ?? 0;
    if (afterMs <= 0) this.answerNow(call, reply);
    else this.setting.clock.timer(() => this.answerNow(call, reply)).set(afterMs);
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
    if (status === Status.OK && !returnsStream(call.source.method)) response.put(reply.reply ?? {});
    response.setMetadata(reply.trailers ?? {});
    const text = reply.statusMessage ?? "";
    this.end(call, "passed", status, reply.origin ?? Origin.REMOTE_APP, text);
    this.settle();
  }

  /** A message of a stream comes. */
  pass(call: HarnessCall, message: HarnessMessage): void {
    if (call.outcome === "held") call.waiting.push(message);
    else this.runMessage(call, message);
    this.settle();
    this.setting.check();
  }

  private runMessage(call: HarnessCall, message: HarnessMessage): void {
    const { live, source } = call;
    message.outcome = "lost";
    if (call.hasEnded) return;
    const { box, from } = message;
    const passage =
      live.chain === null
        ? Passage.PASSED
        : runStreamMessage(live, {
            from,
            index: from === "client" ? source.sent : source.received,
            get bytes(): number {
              return box.bytes;
            },
            read: () => box.read(),
            replace: (other) => box.replace(other),
          });
    if (passage === Passage.DENIED) {
      message.outcome = "denied";
      this.deny(call);
    } else if (passage === Passage.MALFORMED) {
      message.outcome = "malformed";
      const origin = from === "client" ? Origin.LOCAL_DAEMON : Origin.REMOTE_APP;
      this.end(call, "malformed", Status.INTERNAL, origin);
    } else {
      message.outcome = "passed";
      if (from === "client") source.sent++;
      else source.received++;
    }
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
    this.setting.check();
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
    for (const attempt of call.attempts) attempt.cancel();
    for (const message of call.waiting.splice(0)) message.outcome = "lost";
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
  settle(): void {
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

  /** `ctx.attempt`. */
  attempt(live: LiveCall, options: AttemptOptions): FakeAttempt {
    const call = this.byLive.get(live)!;
    const number = call.attempts.length + 1;
    const preferred = this.setting.endpoints.filter(
      (endpoint) => !options.avoid?.includes(endpoint),
    );
    const endpoint = this.choose(call, preferred.length > 0 ? preferred : this.setting.endpoints);
    const driver = {
      clock: this.setting.clock,
      soon: (work: () => void) => void this.work.push(work),
      ended: (attempt: FakeAttempt, reply: Reply) => this.attemptEnded(attempt, reply),
    };
    const attempt = new FakeAttempt(driver, call, options, number, endpoint);
    this.attempts.push(attempt);
    call.attempts.push(attempt);
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
    const isFinal = this.setting.slot.guard("onEnd", () => attempt.options.onEnd(attempt), true);
    if (isFinal !== true || call.hasEnded) return;
    call.source.endpoint = attempt.endpoint;
    const { response } = call.source;
    if (attempt.status === Status.OK) response.put(reply.reply ?? {});
    response.setMetadata(reply.trailers ?? {});
    this.end(call, "passed", attempt.status, attempt.origin, reply.statusMessage ?? "");
  }

  /** `ctx.mirror`. */
  mirror(live: LiveCall, options: MirrorOptions): boolean {
    const { request, method } = this.byLive.get(live)!.source;
    const { target, timeoutMs } = options;
    const copy = request.copy() ?? {};
    this.mirrored.push({ target, timeoutMs, method: method.name, request: copy });
    this.work.push(() => this.setting.slot.guard("onEnd", () => options.onEnd?.(Status.OK, 0)));
    return true;
  }

  private chainFor(method: MethodSchema, { caller, target, service }: FakeSource): Chain | null {
    const key = JSON.stringify([method.name, target, caller]);
    let chain = this.chains.get(key);
    if (chain === undefined) {
      const side = this.setting.options.side ?? "client";
      const facts = { service, method: method.name, target, caller, side };
      const slots = isSelected(this.setting.options.match ?? {}, facts) ? [this.setting.slot] : [];
      const [client, server] = side === "client" ? [slots, []] : [[], slots];
      chain = buildChain(client, server, { service, method });
      this.chains.set(key, chain);
    }
    return chain;
  }
}
