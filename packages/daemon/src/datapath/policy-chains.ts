/**
 * The policies of one runtime: which chain the calls of a binding go through, and running them for the
 * router.
 *
 * What a policy decides outside of its handlers (a held call goes on, an attempt begins) is done by this
 * engine at its next turn, in the same round: never inside of somebody else's work on a message.
 */
import type { Engine } from "@koala/interface";
import { Origin, type Status, statusName } from "@koala/interface";
import type { Endpoint, Side } from "@koala/policy";
import {
  buildChain,
  type Chain,
  isSelected,
  LiveCall,
  listensToStream,
  type MetadataEntry,
  type Passage,
  runRequest,
  runResponse,
  runRoute,
  type Selector,
  type Slot,
} from "@koala/policy/engine";
import { encodeMetadata } from "@koala/protocol";
import type { Runtime } from "@koala/runtime";
import type { Flow } from "../streams/flow.ts";
import { FlowMessage } from "../streams/flow-message.ts";
import type { Binding } from "./binding.ts";
import type { Body } from "./body.ts";
import { type BodyMessage, PolicyMemory } from "./body-message.ts";
import type { Call } from "./call.ts";
import { type CallHost, DatapathCall } from "./datapath-call.ts";
import { Endpoints, type PartyEndpoint } from "./endpoints.ts";

/** A policy and the calls it is attached to. */
export interface Attachment {
  readonly slot: Slot;
  readonly selector: Selector;
}

/** A denial, for logs and events. */
export interface DenialReport {
  readonly policy: string;
  readonly rule: string;
  readonly requestId: string;
  readonly service: string;
  readonly method: string;
  readonly caller: string;
  readonly status: Status;
  readonly message: string;
}

export interface PolicyChainsOptions {
  runtime: Runtime;
  timeLeftMs: (call: Call) => number;
  /** A held call goes on, or ends by a denial. */
  proceed: (call: Call) => void;
  onDenied: (report: DenialReport, call: Call) => void;
  /** Ids of calls of this runtime. */
  nextRequestId: () => string;
}

export class PolicyChains implements Engine, CallHost {
  readonly name = "policies";
  readonly memory: PolicyMemory = new PolicyMemory();
  readonly endpoints: Endpoints = new Endpoints();
  private readonly flowMessage = new FlowMessage(this.memory);
  private readonly options: PolicyChainsOptions;
  private attachments: readonly Attachment[] = [];
  private version = 0;
  /** Chains of bindings that are valid now, and older ones that calls still go through. */
  private current = new Set<Chain>();
  private readonly retired = new Set<Chain>();
  /** Of those, the ones of calls that another process has begun, by method and steps. */
  private readonly older = new Map<string, Chain>();
  private readonly leaving = new Set<Slot>();
  /** The last call of a slot that was detached has ended, and so has the slot. */
  onStopped: (slot: Slot) => void = () => {};
  /** Work of the engine's next turn. */
  private readonly tasks: (() => void)[] = [];
  /** Calls that wait for one of them. */
  private readonly woken = new Set<Call>();

  constructor(options: PolicyChainsOptions) {
    this.options = options;
  }

  // ── what is attached ──────────────────────────────────────────────────────────────────────────────

  get all(): readonly Attachment[] {
    return this.attachments;
  }

  /**
   * These policies, in this order, from now on. Calls that are on their way go on through those they
   * began with. A slot that is not in the list any more lets go of what it holds, and is stopped when the
   * last of its calls has ended.
   */
  attach(attachments: readonly Attachment[]): void {
    const slots = new Set(attachments.map(({ slot }) => slot));
    const gone = this.attachments.filter(({ slot }) => !slots.has(slot));
    this.attachments = attachments;
    this.version++;
    for (const chain of this.current) if (chain.users > 0) this.retired.add(chain);
    this.current = new Set();
    for (const { slot } of gone) {
      this.leaving.add(slot);
      slot.detach();
    }
    this.stopUnused();
  }

  /** The runtime ends: so do the instances, whatever is still on its way. */
  close(): void {
    for (const { slot } of this.attachments) slot.stop();
    for (const slot of this.leaving) slot.stop();
    this.attachments = [];
    this.leaving.clear();
  }

  /** Slots that were detached, and that calls are still on their way through. */
  get leavingIds(): readonly number[] {
    return [...this.leaving].map(({ id }) => id);
  }

  /** Calls that are on their way through a slot. */
  callsThrough(slot: Slot): number {
    let count = 0;
    for (const chains of [this.current, this.retired]) {
      for (const { steps, users } of chains) {
        if (steps.some((step) => step.slot === slot)) count += users;
      }
    }
    return count;
  }

  /** Chains in use that a slot is part of. */
  chainsWith(slot: Slot): number {
    let count = 0;
    for (const chain of this.current) if (chain.steps.some((step) => step.slot === slot)) count++;
    return count;
  }

  // ── for the router ────────────────────────────────────────────────────────────────────────────────

  /** Puts a new call on its chain, if there is one. */
  begin(call: Call): void {
    if (this.attachments.length === 0) return;
    const chain = this.chainOf(call.binding!, call.method!.index);
    if (chain !== null) this.enter(call, chain, 0, "");
  }

  /** Puts a call on a chain from a stage on. `requestId`: "" for one of its own. */
  enter(call: Call, chain: Chain, stage: number, requestId: string): void {
    call.live ??= new LiveCall(new DatapathCall(call, this));
    const { live } = call;
    live.begin(chain, stage);
    sourceOf(live).begin(requestId);
    chain.users++;
  }

  /** The request is at hand, for handlers to read, until `closeRequest`. */
  openRequest(call: Call, body: Body): void {
    sourceOf(call.live!).request.attach(body, call.method!.input);
  }

  /** Runs the request through the steps before `end`. */
  request(call: Call, end: number): Passage {
    return runRequest(call.live!, end);
  }

  /**
   * The request was passed on, or, `isParked`, could not be now: then what policies have read is kept, not
   * what its sender may have changed since.
   */
  closeRequest(call: Call, body: Body, isParked: boolean): void {
    const { request } = sourceOf(call.live!);
    if (isParked) keep(call, request, body);
    request.passOn();
  }

  /** The reply could not be passed on now: what policies have read is kept. */
  replyParked(call: Call, body: Body): void {
    keep(call, sourceOf(call.live!).response, body);
  }

  /** A reply passes the chain; DENIED: the call is to end with the denial in `call.live` instead. */
  response(call: Call, status: Status, origin: Origin, body: Body | null, text: string): Passage {
    const live = call.live!;
    const chain = live.chain!;
    const source = sourceOf(live);
    source.status = status;
    source.origin = origin;
    source.text = text;
    const { response } = source;
    if (body === null) response.detach();
    else response.attach(body, call.replyCodec);
    const passage = runResponse(live, () => {
      source.status = live.denial.status;
      source.origin = Origin.POLICY;
      source.text = live.denial.message;
      response.detach();
    });
    response.detach();
    this.leave(call, chain);
    return passage;
  }

  /**
   * A block of messages of a streaming call passes the policies that have seen the request. DENIED: the body
   * has the messages before the denied one, if there are some; `takeRest` then gives the others.
   */
  streamMessages(flow: Flow, body: Body): Passage {
    const { call } = flow;
    const codec = flow.toCallee ? call.method!.input : (call.replyCodec ?? call.method!.output);
    return this.flowMessage.run(call.live!, flow, body, codec);
  }

  /** Whether `streamMessages` has something to do. */
  listensToStream({ live }: Call): boolean {
    return live !== null && live.chain !== null && listensToStream(live);
  }

  /** The messages of the last block from the denied one on; null when it was the first one. */
  takeRest(): Body | null {
    return this.flowMessage.takeRest();
  }

  /** Lets the policies of a call choose; the endpoints that are left, in order of preference. */
  route(call: Call, endpoints: readonly PartyEndpoint[]): readonly PartyEndpoint[] {
    return runRoute(call.live!, endpoints) as readonly PartyEndpoint[];
  }

  /** The text and the trailers of a call that a policy denied. */
  denialOf(call: Call): { text: string; trailers: Uint8Array } {
    const live = call.live!;
    const { policy, rule, message, status } = live.denial;
    const { requestId } = live;
    const by = rule === "" ? policy : `${policy}, rule ${rule}`;
    const text = `${call.method!.name}: ${message} (denied by policy ${by}; request ${requestId})`;
    const entries: MetadataEntry[] = [
      ...sourceOf(live).response.entries(),
      ["koala-policy", policy],
      ["koala-request-id", requestId],
    ];
    if (rule !== "") entries.push(["koala-rule", rule]);
    this.options.onDenied(
      {
        policy,
        rule,
        requestId,
        service: live.service,
        method: call.method!.name,
        caller: live.caller.app,
        status,
        message: `${statusName(status)}: ${message}`,
      },
      call,
    );
    return { text, trailers: encodeMetadata(entries) };
  }

  /** Does something at this engine's next turn. */
  defer(task: () => void): void {
    this.tasks.push(task);
    this.options.runtime.activate(this);
  }

  // ── CallHost ──────────────────────────────────────────────────────────────────────────────────────

  nextRequestId(): string {
    return this.options.nextRequestId();
  }

  timeLeftMs(call: Call): number {
    return this.options.timeLeftMs(call);
  }

  endpointOf(call: Call): Endpoint | undefined {
    if (call.endpoint !== null) return call.endpoint;
    return call.callee === null ? undefined : this.endpoints.of(call.callee);
  }

  wake(call: Call): void {
    const { id } = call;
    this.woken.add(call);
    this.defer(() => {
      this.woken.delete(call);
      if (call.open && call.id === id) this.options.proceed(call);
    });
  }

  /** A policy has let the call go on, or denied it, and it is not its turn yet. */
  isWoken(call: Call): boolean {
    return this.woken.has(call);
  }

  // ── Engine ────────────────────────────────────────────────────────────────────────────────────────

  poll(budget: number): number {
    let done = 0;
    for (; done < budget && done < this.tasks.length; done++) this.tasks[done]!();
    this.tasks.splice(0, done);
    return done;
  }

  flush(): void {}

  sleep(): boolean {
    return this.tasks.length === 0;
  }

  hasWork(): boolean {
    return this.tasks.length > 0;
  }

  // ──────────────────────────────────────────────────────────────────────────────────────────────────

  /** The chain of a binding's method; null when no policy is concerned with it. */
  chainOf(binding: Binding, methodIndex: number): Chain | null {
    if (binding.chainsVersion !== this.version) {
      binding.chains = [];
      binding.chainsVersion = this.version;
    }
    let chain = binding.chains[methodIndex];
    if (chain === undefined) {
      chain = this.build(binding, methodIndex);
      binding.chains[methodIndex] = chain;
      if (chain !== null) this.current.add(chain);
    }
    return chain;
  }

  /**
   * The chain of a call that began before the attachments were what they are: of those steps the ones whose policies
   * are still attached, possibly none.
   */
  olderChain(call: Call, names: readonly string[]): Chain {
    const method = call.method!;
    const service = call.binding!.schema.typeName;
    const key = [service, method.name, ...names].join("\n");
    const known = this.older.get(key);
    if (known !== undefined) return known;
    const slotsAt = (side: Side): Slot[] =>
      names.flatMap((name) =>
        this.attachments
          .filter(({ slot }) => stepName({ slot, side }) === name)
          .map(({ slot }) => slot),
      );
    const built = buildChain(slotsAt("client"), slotsAt("server"), { service, method });
    if (built === null) return { steps: [], clientCount: 0, routing: [], users: 0 };
    this.older.set(key, built);
    this.retired.add(built);
    return built;
  }

  private build(binding: Binding, methodIndex: number): Chain | null {
    const { schema, target, identity } = binding;
    const method = schema.methods[methodIndex]!;
    const facts = { service: schema.typeName, method: method.name, target, caller: identity };
    const slotsAt = (side: "client" | "server"): Slot[] =>
      this.attachments
        .filter(({ selector }) => isSelected(selector, { ...facts, side }))
        .map(({ slot }) => slot);
    // The daemon of the calling app has done the caller's part of a call that came over a link.
    const client = binding.reach === "anywhere" ? slotsAt("client") : [];
    return buildChain(client, slotsAt("server"), { service: schema.typeName, method });
  }

  private leave(call: Call, chain: Chain): void {
    const { endpoint } = call;
    if (endpoint !== null) {
      endpoint.inFlight--;
      call.endpoint = null;
    }
    chain.users--;
    if (chain.users > 0) return;
    if (!this.retired.delete(chain)) return;
    for (const [key, known] of this.older) if (known === chain) this.older.delete(key);
    this.stopUnused();
  }

  private stopUnused(): void {
    for (const slot of this.leaving) {
      let isUsed = false;
      for (const chain of this.retired) {
        if (chain.steps.some((step) => step.slot === slot)) isUsed = true;
      }
      if (isUsed) continue;
      this.leaving.delete(slot);
      slot.stop();
      this.onStopped(slot);
    }
  }
}

/** What a step goes by in another process: its policy, and the side that it is on. */
export function stepName({ slot, side }: { slot: Slot; side: Side }): string {
  return `${slot.name} ${side}`;
}

function sourceOf(live: LiveCall): DatapathCall {
  return live.source as DatapathCall;
}

/** Keeps a message as policies have seen it. */
function keep(call: Call, message: BodyMessage, body: Body): void {
  if (!message.isCopied) return;
  call.copy = body.privateCopy();
  message.isCopied = false;
}
