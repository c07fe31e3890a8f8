/**
 * Calls that policies make: attempts to get a held call done (retries, hedging), and mirrored requests.
 *
 * An attempt is a call of its own, whose caller is this party. The call it is for has this party as its
 * callee meanwhile: `cancel` of that call ends its attempts, and the reply of an attempt becomes its
 * reply. While the reply finds no room, it stays with whoever sent it, as every parked reply does.
 */
import { Origin, Status } from "@koala/interface";
import type { Attempt, AttemptOptions, Endpoint, MirrorOptions, PolicyCall } from "@koala/policy";
import type { LiveCall, Slot } from "@koala/policy/engine";
import { type Binding, createBinding } from "./binding.ts";
import { Body } from "./body.ts";
import { type Call, Outcome, Parked, type Party } from "./call.ts";
import type { DatapathCall } from "./datapath-call.ts";
import type { Router } from "./router.ts";
import { checkMessage } from "./translator.ts";

/** Mirrored requests of one runtime that may be on their way. */
const mirrorsMax = 1024;
const noMessage = new Body();

/** One attempt, or one mirrored request. */
export interface PolicyAttempt {
  /** The outcome of the child call; null body: a status of the daemon's own. */
  ended(child: Call, status: Status, origin: Origin, body: Body | null, message: string): Outcome;
  /** The request, in memory of its own. */
  readonly body: Body;
}

/** The attempts of one held call. */
export class AttemptGroup {
  readonly parent: Call;
  readonly body: Body;
  readonly running: Set<HeldAttempt> = new Set();
  count = 0;
  /** The attempt whose reply is the call's. */
  winner: HeldAttempt | null = null;

  constructor(parent: Call, body: Body) {
    this.parent = parent;
    this.body = body;
  }
}

class HeldAttempt implements PolicyAttempt, Attempt {
  readonly number: number;
  readonly group: AttemptGroup;
  readonly call: PolicyCall;
  readonly options: AttemptOptions;
  readonly startedMs: number;
  child: Call | null = null;
  status: Status = Status.OK;
  origin: Origin = Origin.APP;
  isOver = false;
  private endedAt: Endpoint | undefined = undefined;
  private readonly party: PolicyParty;
  private readonly slot: Slot;

  constructor(party: PolicyParty, slot: Slot, group: AttemptGroup, options: AttemptOptions) {
    this.party = party;
    this.slot = slot;
    this.group = group;
    this.call = group.parent.live!;
    this.options = options;
    this.number = ++group.count;
    this.startedMs = party.nowMs();
    group.running.add(this);
  }

  get body(): Body {
    return this.group.body;
  }

  get endpoint(): Endpoint | undefined {
    return this.child === null ? this.endedAt : this.party.endpointOf(this.child);
  }

  cancel(): void {
    if (this.isOver) return;
    this.isOver = true;
    this.group.running.delete(this);
    const { child } = this;
    this.child = null;
    if (child !== null) this.party.giveUp(child);
  }

  ended(child: Call, status: Status, origin: Origin, body: Body | null, message: string): Outcome {
    const { group } = this;
    const { parent } = group;
    if (group.winner !== this) {
      if (this.isOver) return Outcome.DONE;
      this.status = status;
      this.origin = origin;
      this.endedAt = this.party.endpointOf(child);
      this.child = null;
      this.isOver = true;
      group.running.delete(this);
      // A policy that has just been taken out can't choose any more: so this outcome is taken.
      const takes = this.slot.guard("onEnd of an attempt", () => this.options.onEnd(this), true);
      if (takes !== true || !parent.open || parent.attempts !== group) return Outcome.DONE;
      group.winner = this;
      for (const other of [...group.running]) other.cancel();
    }
    this.child = child;
    return this.party.answer(parent, child, status, origin, body, message);
  }
}

/** A request that was sent elsewhere as well. */
class MirroredRequest implements PolicyAttempt {
  readonly body: Body;
  private readonly party: PolicyParty;
  private readonly slot: Slot;
  private readonly options: MirrorOptions;
  private readonly startedMs: number;

  constructor(party: PolicyParty, slot: Slot, body: Body, options: MirrorOptions) {
    this.party = party;
    this.slot = slot;
    this.body = body;
    this.options = options;
    this.startedMs = party.nowMs();
  }

  ended(_child: Call, status: Status): Outcome {
    this.party.mirrors--;
    const { onEnd } = this.options;
    if (onEnd !== undefined) {
      const tookMs = this.party.nowMs() - this.startedMs;
      this.slot.guard("onEnd of a mirrored request", () => onEnd(status, tookMs));
    }
    return Outcome.DONE;
  }
}

export class PolicyParty implements Party {
  readonly label = "a policy";
  readonly isLocal = true;
  readonly isApp = false;
  readonly isPolicy = true;
  readonly invalidReason = "a malformed message";
  mirrors = 0;
  private readonly router: Router;
  /** By the binding that is mirrored and the target. */
  private readonly mirrorBindings = new WeakMap<Binding, Map<string, Binding>>();

  constructor(router: Router) {
    this.router = router;
  }

  // ── for policies ──────────────────────────────────────────────────────────────────────────────────

  attempt(slot: Slot, live: LiveCall, options: AttemptOptions): Attempt {
    const parent = (live.source as DatapathCall).call;
    parent.attempts ??= this.adopt(parent, live);
    const group = parent.attempts;
    const attempt = new HeldAttempt(this, slot, group, options);
    const { id } = parent;
    this.router.policies.defer(() => {
      if (!attempt.isOver && parent.open && parent.id === id) this.start(attempt);
    });
    return attempt;
  }

  mirror(slot: Slot, live: LiveCall, options: MirrorOptions): boolean {
    if (this.mirrors >= mirrorsMax) return false;
    const original = (live.source as DatapathCall).call;
    if (original.stream?.toCallee.hasMessages === true) return false;
    const body = this.copyOfRequest(original, live);
    if (body === null) return false;
    this.mirrors++;
    const request = new MirroredRequest(this, slot, body, options);
    const binding = this.mirrorBinding(original.binding!, options.target);
    const { method } = original;
    this.router.policies.defer(() => {
      const child = this.open(request, binding, method!);
      if (child === undefined) this.mirrors--;
      else this.send(child, options.timeoutMs);
    });
    return true;
  }

  // ── for attempts ──────────────────────────────────────────────────────────────────────────────────

  nowMs(): number {
    return this.router.nowMs();
  }

  endpointOf(child: Call): Endpoint | undefined {
    return this.router.policies.endpointOf(child);
  }

  /** Nobody is interested in an attempt any more. */
  giveUp(child: Call): void {
    if (child.open && child.caller === this) this.router.abandon(child, Status.CANCELLED);
  }

  /** The outcome of an attempt becomes that of the call it was made for. */
  answer(
    parent: Call,
    child: Call,
    status: Status,
    origin: Origin,
    body: Body | null,
    message: string,
  ): Outcome {
    if (body === null) {
      this.router.fail(parent, status, origin, message);
      return Outcome.DONE;
    }
    parent.replyCodec = child.replyCodec;
    parent.replyTranscoder = child.replyTranscoder;
    parent.status = status;
    parent.origin = origin;
    const outcome = this.router.deliver(parent, status, origin, body);
    if (outcome === Outcome.PARK) parent.parked = Parked.REPLY;
    else if (outcome === Outcome.UNTRANSLATABLE) this.router.failUntranslatable(parent, "reply");
    else if (outcome !== Outcome.INVALID) this.router.end(parent);
    else {
      const text = "the server sent a malformed message";
      this.router.fail(parent, Status.INTERNAL, Origin.REMOTE_APP, text);
    }
    return outcome;
  }

  // ── Party: it has made an attempt ─────────────────────────────────────────────────────────────────

  finish(child: Call, status: Status, origin: Origin, body: Body): Outcome {
    return child.attempt!.ended(child, status, origin, body, "");
  }

  finishWith(child: Call, status: Status, origin: Origin, message: string): void {
    child.attempt!.ended(child, status, origin, null, message);
  }

  parkedRequest(child: Call): Body {
    return child.attempt!.body;
  }

  // ── Party: a call is left to its attempts, and both of them parked ────────────────────────────────

  begin(): Outcome {
    return Outcome.PARK;
  }

  cancel(parent: Call, _reason: Status): void {
    this.endAttempts(parent);
    this.router.end(parent);
  }

  /** The attempts of a call, if it has any, have become pointless. */
  endAttempts(parent: Call): void {
    const { attempts } = parent;
    if (attempts === null) return;
    parent.attempts = null;
    for (const attempt of [...attempts.running]) attempt.cancel();
  }

  retry(call: Call): boolean {
    if (call.parked === Parked.REPLY) {
      // The reply is with whoever sent it to the attempt.
      const child = call.attempts?.winner?.child;
      const sender = child?.callee;
      if (child == null || sender == null || !child.open) return true;
      return sender.retry(child);
    }
    const outcome = this.router.dispatch(call, call.attempt!.body);
    if (outcome === Outcome.PARK) return false;
    if (outcome === Outcome.UNTRANSLATABLE) this.router.failUntranslatable(call, "request");
    else if (call.open) call.parked = Parked.NO;
    return true;
  }

  message(): Outcome {
    // Response headers of an attempt, which may not be the one whose reply the caller gets.
    return Outcome.DONE;
  }

  credit(): void {}

  adoptFlow(): void {}

  blame(): void {}

  dropReply(parent: Call): void {
    const child = parent.attempts?.winner?.child;
    if (child?.open && child.caller === this) {
      this.router.abandon(child, Status.CANCELLED);
    }
  }

  // ──────────────────────────────────────────────────────────────────────────────────────────────────

  /** Takes the request off its sender's hands: from here on the call is this party's to serve. */
  private adopt(parent: Call, live: LiveCall): AttemptGroup {
    const body = this.copyOfRequest(parent, live) ?? noMessage;
    parent.callee = this;
    parent.parked = Parked.NO;
    parent.copyOwner?.dropCopy(parent);
    parent.copy = null;
    return new AttemptGroup(parent, body);
  }

  private copyOfRequest(call: Call, live: LiveCall): Body | null {
    const { request } = live.source as DatapathCall;
    const attached = request.message;
    if (attached !== null) {
      request.read(); // checks it, in a copy
      return attached.privateCopy();
    }
    const parked = call.caller?.parkedRequest(call) ?? null;
    if (parked === null) return null;
    const body = parked.privateCopy();
    const reason = checkMessage(call.method!.input, body.memory, body.offset, body);
    body.owner = null;
    body.trusted = true;
    return reason === "" ? body : null;
  }

  private start(attempt: HeldAttempt): void {
    const { group, options } = attempt;
    const { parent } = group;
    const { live } = parent;
    if (live?.chain == null) return;
    const child = this.open(attempt, parent.binding!, parent.method!);
    if (child === undefined || group.body === noMessage) {
      attempt.ended(parent, Status.RESOURCE_EXHAUSTED, Origin.LOCAL_DAEMON, null, "too many calls");
      return;
    }
    attempt.child = child;
    child.avoid = options.avoid ?? null;
    this.router.policies.enter(child, live.chain, live.stage + 1, live.requestId);
    const left = parent.deadlineMs === 0 ? 0 : this.router.timeLeftMs(parent);
    const own = options.timeoutMs ?? 0;
    this.send(child, own === 0 ? left : left === 0 ? own : Math.min(own, left));
  }

  private open(attempt: PolicyAttempt, binding: Binding, method: Call["method"]): Call | undefined {
    const child = this.router.calls.openCall();
    if (child === undefined) return undefined;
    child.caller = this;
    child.callerId = child.id;
    child.binding = binding;
    child.method = method;
    child.attempt = attempt;
    return child;
  }

  private send(child: Call, timeoutMs: number): void {
    this.router.setDeadline(child, timeoutMs);
    child.parked = Parked.REQUEST;
    const { id } = child;
    if (!this.retry(child) && child.id === id) child.parked = Parked.REQUEST;
  }

  private mirrorBinding(original: Binding, target: string): Binding {
    let byTarget = this.mirrorBindings.get(original);
    if (byTarget === undefined) {
      byTarget = new Map();
      this.mirrorBindings.set(original, byTarget);
    }
    let binding = byTarget.get(target);
    if (binding === undefined) {
      const { identity, schema } = original;
      binding = createBinding(0, this, identity, target, schema, "anywhere");
      byTarget.set(target, binding);
    }
    return binding;
  }
}
