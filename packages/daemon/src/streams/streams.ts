/**
 * Passes messages of streaming calls from one party of a call to the other, and credit back. One a router.
 *
 * A message that finds no room never waits with its sender: it is copied, and its sender's memory is free.
 * Credit bounds what may wait for one call, `waitingBytesMax` what may wait for all of them.
 */
import { Origin, Status } from "@koala/interface";
import { Passage } from "@koala/policy/engine";
import { streamCreditMax } from "@koala/protocol";
import type { Body } from "../datapath/body.ts";
import { type Call, Outcome, Parked } from "../datapath/call.ts";
import type { Router } from "../datapath/router.ts";
import { checkMessage } from "../datapath/translator.ts";
import { CallStream, type Flow, flowsOf } from "./flow.ts";
import { WaitingShares } from "./waiting-shares.ts";

/** Bytes of messages of streaming calls that may wait for room in one runtime. */
export const waitingBytesMax: number = 64 * 1024 * 1024;

export class Streams {
  /** Why the last `send` answered INVALID. */
  invalidReason = "";
  /** What comes behind the block that `pass` could not hand on: messages from the denied one on. */
  private rest: Body | null = null;
  private readonly router: Router;
  private readonly shares = new WaitingShares(waitingBytesMax);

  constructor(router: Router) {
    this.router = router;
  }

  /** Bytes of messages that wait. */
  get waitingBytes(): number {
    return this.shares.total;
  }

  /** A call begins; its method is known. */
  open(call: Call): void {
    if (call.method!.kind !== "unary") call.stream = new CallStream(call);
  }

  /** The callee has got the request: what has come for it meanwhile follows. */
  started(call: Call): void {
    const { toCallee, toCaller } = call.stream!;
    call.parked = Parked.NO;
    if (toCaller.grantDue > 0) call.callee?.credit(toCaller);
    if (toCallee.waiting.length > 0) this.offer(toCallee);
  }

  /**
   * Hands messages on. DONE: the source's memory is free, whatever came of the call; HELD: as with
   * `Party.begin`; INVALID, UNTRANSLATABLE: the source ends the call.
   */
  send(flow: Flow, body: Body): Outcome {
    this.router.observer.message(flow, body);
    if (flow.receiver === null && !flow.toCallee) {
      // Nobody waits for it any more.
      body.discard();
      return Outcome.DONE;
    }
    if (flow.waiting.length > 0 || !flow.isOpen) return this.keep(flow, body);
    const outcome = this.pass(flow, body);
    if (outcome !== Outcome.PARK) return outcome;
    const { rest } = this;
    const kept = this.keep(flow, body);
    if (rest !== null && flow.isCurrent) return this.keep(flow, rest);
    return kept;
  }

  /** Offers what waits again; true when nothing waits any more. */
  offer(flow: Flow): boolean {
    const { call, waiting } = flow;
    while (waiting.length > 0) {
      if (!flow.isCurrent) return true;
      if (!flow.isOpen) return false;
      const body = waiting[0]!;
      const outcome = this.pass(flow, body);
      if (!flow.isCurrent) return true;
      if (outcome === Outcome.PARK) {
        if (this.rest === null) return false;
        waiting.splice(1, 0, this.rest);
        this.shares.add(flow, weightOf(this.rest));
        return false;
      }
      waiting.shift();
      flow.waitingCost -= body.cost;
      this.shares.add(flow, -weightOf(body));
      if (outcome === Outcome.INVALID || outcome === Outcome.UNTRANSLATABLE) {
        this.reject(flow, outcome);
        return true;
      }
    }
    if (!flow.toCallee && call.parked === Parked.REPLY) this.router.offerAgain(call);
    return true;
  }

  /** The receiver takes so many bytes more; false when nobody could mean that. */
  grant(flow: Flow, bytes: number): boolean {
    flow.credit += bytes;
    if (bytes <= 0 || flow.credit > streamCreditMax) return false;
    flow.grantDue += bytes;
    if (flow.toCallee || flow.hasStarted) flow.sender?.credit(flow);
    return true;
  }

  /** A message can't be passed on: the call ends, and whoever sent it is blamed for a malformed one. */
  reject(flow: Flow, outcome: Outcome): void {
    const { call, sender } = flow;
    const name = call.method?.name ?? "call";
    if (outcome === Outcome.UNTRANSLATABLE) {
      const text = `${name}: a message can't be said in the other side's version of ${call.binding?.schema.typeName ?? "the schema"}; update the older schema`;
      this.router.abort(call, Status.FAILED_PRECONDITION, Origin.LOCAL_DAEMON, text);
      return;
    }
    const reason = this.invalidReason;
    const origin = flow.toCallee ? Origin.LOCAL_DAEMON : Origin.REMOTE_APP;
    this.router.abort(call, Status.INTERNAL, origin, `${name}: ${reason}`);
    sender?.blame(reason);
  }

  /** A restored call goes on: its parties are there. */
  resume(call: Call): void {
    for (const flow of flowsOf(call)) {
      for (const body of flow.waiting) this.shares.add(flow, weightOf(body));
      if (flow.waiting.length > 0 && flow.isOpen) flow.receiver?.adoptFlow(flow);
      if (flow.grantDue > 0 && (flow.toCallee || flow.hasStarted)) flow.sender?.credit(flow);
    }
  }

  /** A party of the call has been replaced: what waits for room goes to the one that is there now. */
  moved(call: Call): void {
    for (const flow of flowsOf(call)) {
      flow.queue?.remove(flow);
      if (flow.waiting.length > 0) this.offer(flow);
      if (!flow.isCurrent) return;
      if (flow.grantDue > 0 && (flow.toCallee || flow.hasStarted)) flow.sender?.credit(flow);
    }
  }

  /** Nobody wants what is on its way any more. */
  drop(call: Call): void {
    for (const flow of flowsOf(call)) {
      flow.waiting.length = 0;
      this.shares.drop(flow);
      flow.waitingCost = 0;
      flow.grantDue = 0;
      flow.queue?.remove(flow);
    }
  }

  private pass(flow: Flow, body: Body): Outcome {
    this.rest = null;
    const { policies } = this.router;
    if (body.isSeen || body.count === 0) return this.hand(flow, body);
    if (flow.isDenied || policies.listensToStream(flow.call)) return this.passPolicies(flow, body);
    flow.seen += body.count;
    body.isSeen = true;
    return this.hand(flow, body);
  }

  private passPolicies(flow: Flow, body: Body): Outcome {
    const { call } = flow;
    const { policies } = this.router;
    const receiver = flow.receiver!;
    if (receiver.isSending?.(flow) === true) {
      receiver.adoptFlow(flow);
      return Outcome.PARK;
    }
    if (flow.isDenied) return this.deny(call);
    const bytes = weightOf(body);
    const passage = policies.streamMessages(flow, body);
    if (flow.waiting[0] === body) this.shares.add(flow, weightOf(body) - bytes);
    if (passage === Passage.MALFORMED) {
      this.invalidReason = "a malformed message";
      return Outcome.INVALID;
    }
    const rest = passage === Passage.DENIED ? policies.takeRest() : null;
    if (passage === Passage.DENIED && rest === null) return this.deny(call);
    body.isSeen = true;
    const outcome = this.hand(flow, body);
    if (rest === null || !flow.isCurrent) return outcome;
    // What came before the denied message goes first.
    if (outcome === Outcome.DONE) return this.deny(call);
    this.rest = rest;
    flow.isDenied = true;
    return outcome;
  }

  private hand(flow: Flow, body: Body): Outcome {
    const receiver = flow.receiver!;
    const outcome = receiver.message(flow, body);
    if (outcome === Outcome.INVALID) this.invalidReason = receiver.invalidReason;
    return outcome;
  }

  private deny(call: Call): Outcome {
    this.router.denyMidway(call);
    return Outcome.DONE;
  }

  private keep(flow: Flow, body: Body): Outcome {
    const { call } = flow;
    const bytes = weightOf(body);
    if (!this.shares.fits(flow, bytes)) {
      const text = `${call.method!.name}: too many of the ${waitingBytesMax} bytes for messages of streams that wait are taken by ${flow.receiver?.label ?? "calls without a server"}, which does not keep up`;
      this.router.abort(call, Status.RESOURCE_EXHAUSTED, Origin.LOCAL_DAEMON, text);
      return Outcome.DONE;
    }
    const copy = body.privateCopy();
    copy.owner = null;
    if (!copy.trusted) {
      const codec = flow.toCallee ? call.method!.input : (call.replyCodec ?? call.method!.output);
      this.invalidReason = checkMessage(codec, copy.memory, copy.offset, copy);
      if (this.invalidReason !== "") return Outcome.INVALID;
      copy.trusted = true;
    }
    flow.waiting.push(copy);
    flow.waitingCost += copy.cost;
    this.shares.add(flow, weightOf(copy));
    return Outcome.DONE;
  }
}

/** Bytes that a message takes while it waits, with its metadata. */
function weightOf(body: Body): number {
  return body.bodyBytes() + body.tailBytes();
}
