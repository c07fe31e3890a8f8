/**
 * Open calls of an app that moves to another runtime. Its other parties stay where they are: each call
 * becomes two, connected by the link between the two runtimes, as if it had been made over it.
 *
 * ```
 *  before   A:  app ── call ── other                    (or the other way round)
 *  after    B:  app ── call ── link │ A:  link ── call ── other
 * ```
 */
import { KoalaError } from "@koala/interface";
import type { AppPort } from "../datapath/app-port.ts";
import { createBinding } from "../datapath/binding.ts";
import { type Call, Parked } from "../datapath/call.ts";
import type { EndpointState } from "../datapath/endpoint-state.ts";
import type { Router } from "../datapath/router.ts";
import type { SchemaStore } from "../datapath/schema-store.ts";
import type { Link } from "../link/link.ts";
import { carryStream, loadStream } from "../streams/stream-state.ts";
import type { CarriedCalls, CarriedIncoming, CarriedOutgoing } from "./move-orders.ts";

/**
 * At A, the app being suspended: takes its messages that wait elsewhere out of its memory. Requests are
 * withdrawn and will be made again, replies are copied. Returns what is wrong, "" if nothing.
 */
export function gatherMessages(router: Router, port: AppPort): string {
  const made = router.calls.filter(
    ({ caller, parked }) => caller === port && parked === Parked.REQUEST,
  );
  if (made.some(({ stream }) => stream !== null)) {
    return "a streaming call of it waits for a server, with what it has sent";
  }
  // Those that wait in one line keep their order.
  const inOrder = new Set(made.flatMap((call) => [...(call.queue?.waiting() ?? []), call]));
  for (const call of inOrder) {
    if (!made.includes(call)) continue;
    port.engine.defer([port.engine.withdraw(call)]);
    router.end(call);
  }
  for (const call of router.calls.filter(({ callee }) => callee === port)) {
    if (call.parked !== Parked.REPLY) continue;
    if (!port.engine.detachReply(call)) return "a reply that waits is malformed";
  }
  return "";
}

/** At A: what is open, to be carried, once messages are gathered. */
export function carriedCalls(router: Router, port: AppPort): CarriedCalls {
  const outgoing = router.calls
    .filter(({ caller }) => caller === port)
    .map((call): CarriedOutgoing => {
      const { id, callerId } = call;
      const timeLeftMs = router.timeLeftMs(call);
      const stream = carryStream(call, port);
      const method = call.method!.index;
      return { id, callerId, binding: call.binding!.id, method, timeLeftMs, stream };
    });
  const incoming = router.calls
    .filter(({ callee, parked }) => callee === port && parked === Parked.NO)
    .map((call): CarriedIncoming => {
      const { schema, target, identity } = call.binding!;
      return {
        id: call.id,
        knownAs: port.engine.knownAs(call),
        isAbandoned: call.caller === null,
        export: call.calleeTarget,
        method: call.method!.index,
        calleeMethod: call.calleeMethod,
        blockTag: call.blockTag,
        blockOffset: call.blockOffset,
        timeLeftMs: router.timeLeftMs(call),
        target,
        caller: { service: schema.typeName, hash: schema.hash },
        identity,
        stream: carryStream(call, port),
      };
    });
  return { outgoing, incoming };
}

/** At B: the calls of an app that has just arrived. Returns the ids of those it has made, at A and here. */
export function bridgeHere(
  router: Router,
  schemas: SchemaStore,
  port: AppPort,
  link: Link,
  { outgoing, incoming }: CarriedCalls,
): [number, number][] {
  for (const carried of incoming) bridgeIncoming(router, schemas, port, link, carried);
  return outgoing.map((carried): [number, number] => {
    const call = open(router, port);
    call.caller = port;
    call.callerId = carried.callerId;
    call.callee = link;
    call.binding = port.bindings[carried.binding]!;
    call.method = call.binding.schema.methods[carried.method]!;
    // On a link between runtimes, messages have the caller's layout.
    call.replyCodec = call.method.output;
    if (carried.stream !== null) loadStream(call, carried.stream);
    router.setDeadline(call, carried.timeLeftMs);
    port.engine.adoptOutgoing(call);
    return [carried.id, call.id];
  });
}

function bridgeIncoming(
  router: Router,
  schemas: SchemaStore,
  port: AppPort,
  link: Link,
  carried: CarriedIncoming,
): void {
  const { service, hash } = carried.caller;
  const schema = schemas.acquire(service, hash);
  if (schema === undefined) {
    throw new KoalaError("ERR_ENGINE_STATE", `${port.label}: the schema of a caller did not come`);
  }
  schemas.release(schema);
  const call = open(router, port);
  call.callerId = carried.id | 0;
  call.callee = port;
  call.binding = createBinding(-1, link, carried.identity, carried.target, schema, "nowhere");
  call.method = schema.methods[carried.method]!;
  call.calleeTarget = carried.export;
  call.calleeMethod = carried.calleeMethod;
  call.blockTag = carried.blockTag;
  call.blockOffset = carried.blockOffset;
  call.replyCodec = call.method.output;
  const served = port.exports[carried.export]?.schema;
  const comparison = served === undefined ? undefined : schemas.compare(schema, served);
  if (comparison !== undefined && !(comparison instanceof KoalaError)) {
    call.replyTranscoder = comparison.methods[carried.method]?.response ?? null;
    call.replyCodec = served!.methods[carried.calleeMethod]!.output;
  }
  if (carried.stream !== null) loadStream(call, carried.stream);
  port.engine.adoptIncoming(call, carried.knownAs);
  // Nobody waits for the reply, which the app still owes.
  if (carried.isAbandoned) return;
  call.caller = link;
  router.setDeadline(call, carried.timeLeftMs);
  link.calls.streams.set(call.callerId, call);
}

/** At B: the app does not stay after all. Its calls are still A's, so nobody is told. */
export function dropBridge(router: Router, port: AppPort, link: Link | undefined): void {
  for (const call of router.calls.filter((c) => c.caller === port || c.callee === port)) {
    if (call.callee === port && call.parked === Parked.REQUEST) {
      // It came here meanwhile; somebody else serves it.
      call.callee = null;
      call.queue?.remove(call);
      router.offerAgain(call);
      continue;
    }
    if (call.caller === link) link?.calls.streams.delete(call.callerId);
    router.end(call);
  }
}

/** What is known at A of calls that were carried. */
export interface Departure {
  readonly carried: CarriedCalls;
  /** The engine's state that went to B. */
  readonly state: EndpointState;
}

/**
 * At A, whose routes do not lead to the app any more: from now on the link is in its place. `streams`: a
 * call's id here and at B. Returns tags and offsets of blocks that have become free meanwhile.
 */
export function bridgeAway(
  router: Router,
  port: AppPort,
  link: Link,
  { carried, state }: Departure,
  streams: ReadonlyMap<number, number>,
): number[] {
  const waiting = [...port.engine.parkedCalls()];
  const now = port.engine.decompose();
  const late = new Map(
    now.lateReplies.slice(state.lateReplies.length).map((reply) => [reply.callerId, reply]),
  );
  for (const { id, callerId } of carried.outgoing) {
    const stream = (streams.get(id) ?? 0) | 0;
    const call = router.calls.get(id);
    const reply = late.get(callerId);
    if (call !== undefined && call.caller === port) placeCaller(call, link, stream);
    else if (reply !== undefined) {
      // It has ended while the app was on its way.
      const last = open(router, port);
      last.caller = link;
      last.callerId = stream;
      link.finishWith(last, reply.status, reply.origin, reply.message, reply.trailers);
      router.end(last);
    }
  }
  for (const call of router.calls.filter(({ callee }) => callee === port)) placeCallee(call, link);
  const known = new Map(carried.incoming.map(({ knownAs, id }) => [knownAs, id]));
  for (const { id, reason } of now.lateCancels.slice(state.lateCancels.length)) {
    const call = router.calls.get(known.get(id) ?? 0);
    if (call !== undefined) link.cancel(call, reason);
  }
  for (const { id, isAbandoned } of carried.incoming) {
    const call = isAbandoned ? router.calls.get(id) : undefined;
    if (call !== undefined) router.end(call);
  }
  for (const call of waiting) {
    if (!call.open) continue;
    call.queue?.remove(call);
    router.offerAgain(call);
  }
  for (const call of router.calls.filter((c) => c.caller === link || c.callee === link)) {
    router.streams.moved(call);
  }
  return now.releases.slice(state.releases.length);
}

function placeCaller(call: Call, link: Link, stream: number): void {
  const { identity, target, schema, reach } = call.binding!;
  call.caller = link;
  call.callerId = stream;
  call.binding = createBinding(-1, link, identity, target, schema, reach);
  link.calls.streams.set(stream, call);
}

function placeCallee(call: Call, link: Link): void {
  if (call.parked === Parked.REQUEST) {
    // The app has not got it: it goes to whoever serves it now.
    call.callee = null;
    return;
  }
  call.callee = link;
  // A reply that waits is as the app has sent it; what comes over the link has the caller's layout.
  if (call.parked !== Parked.NO) return;
  call.requestTranscoder = null;
  call.replyTranscoder = null;
  call.replyCodec = call.method!.output;
}

function open(router: Router, port: AppPort): Call {
  const call = router.calls.openCall();
  if (call !== undefined) return call;
  throw new KoalaError(
    "ERR_ENGINE_BUSY",
    `${port.label}: a runtime has no room for its calls; wait until some have ended`,
  );
}
