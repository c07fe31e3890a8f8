/** The calls of a runtime as plain data, and back. Both while the runtime stands still. */
import { KoalaError } from "@koala/interface";
import type { ServiceSchema } from "@koala/schema";
import { loadStream, saveStream } from "../streams/stream-state.ts";
import { AppPort } from "./app-port.ts";
import { type Binding, createBinding } from "./binding.ts";
import { loadBody, saveBody } from "./body-state.ts";
import { type Call, type CopyOwner, Parked, type Party } from "./call.ts";
import type { CallState, CallTableState, LooseBinding, PartyRef } from "./call-state.ts";
import { restoreChain, saveChain } from "./chain-saving.ts";
import type { Router } from "./router.ts";
import type { SchemaStore } from "./schema-store.ts";

/** Names of parties: what `refOf` gives for one that was saved, `partyOf` gives back for the restored one. */
export interface PartyNames {
  refOf(party: Party): PartyRef | null;
  /** The link that counts a parked copy in its window. */
  ownerRef(owner: CopyOwner): PartyRef | null;
}

export interface RestoredParties {
  partyOf(ref: PartyRef): Party;
  bindingOf(ref: PartyRef, id: number): Binding | undefined;
  ownerOf(ref: PartyRef): CopyOwner;
}

/** The state of all open calls; changes nothing. */
export function saveCalls(router: Router, names: PartyNames): CallTableState {
  // What a policy has sent and nobody has got yet, the policy sends again.
  const open = router.calls.filter(
    ({ caller, parked }) => parked === Parked.NO || caller === null || names.refOf(caller) !== null,
  );
  const parties = new Set(open.flatMap(({ caller, callee }) => [caller, callee]));
  const ordered = new Set<Call>(router.waitingCalls());
  for (const party of parties) {
    if (party instanceof AppPort) for (const call of party.engine.parkedCalls()) ordered.add(call);
  }
  const calls = [...open.filter((call) => !ordered.has(call)), ...ordered];
  return { ids: router.calls.ids(), calls: calls.map((call) => saveCall(router, call, names)) };
}

/**
 * Makes the calls of a state, in a router that has none yet. Apps and links are there, suspended; links
 * take what waits with them from their own state.
 */
export function restoreCalls(
  router: Router,
  schemas: SchemaStore,
  state: CallTableState,
  parties: RestoredParties,
): void {
  router.calls.restore(state.ids, new Set(state.calls.map(({ id }) => id)));
  for (const saved of state.calls) {
    const call = router.calls.get(saved.id);
    if (call !== undefined) restoreCall(router, schemas, call, saved, parties);
  }
}

function saveCall(router: Router, call: Call, names: PartyNames): CallState {
  const { binding, attempts, live, slot } = call;
  // What a policy has in hand begins anew, with the request as the policy has it.
  const isInHand = live !== null && (live.holder !== null || router.policies.isWoken(call));
  const isHeld = attempts !== null || isInHand;
  const callee = isHeld || call.callee === null ? null : names.refOf(call.callee);
  const copy = attempts !== null ? attempts.body : call.copy;
  const parked = isHeld ? Parked.REQUEST : call.parked;
  return {
    id: call.id,
    caller: call.caller === null ? null : names.refOf(call.caller),
    callerId: call.callerId,
    knownAs: call.callee instanceof AppPort ? call.callee.engine.knownAs(call) : call.id,
    callee,
    binding: binding?.id ?? -1,
    bindingOwner: binding === null ? null : names.refOf(binding.caller),
    loose: binding === null || binding.id >= 0 ? null : looseOf(binding),
    method: call.method?.index ?? -1,
    waitForReady: call.waitForReady,
    calleeTarget: call.calleeTarget,
    calleeMethod: call.calleeMethod,
    server: serverOf(call),
    timeLeftMs: router.timeLeftMs(call),
    blockTag: call.blockTag,
    blockOffset: call.blockOffset,
    holdsRequest: call.holdsRequest,
    status: call.status,
    origin: call.origin,
    parked,
    waitsAt: isHeld ? "router" : queueOf(router, call),
    isHeld,
    chain: saveChain(call),
    slot: parked === Parked.NO ? null : slot.slice(),
    copy: copy === null ? null : saveBody(copy),
    stream: saveStream(call),
    copyOwner: call.copyOwner === null ? null : names.ownerRef(call.copyOwner),
    copyCost: call.copyBytes,
  };
}

function looseOf({ target, schema, identity, reach }: Binding): LooseBinding {
  return { target, schema: { service: schema.typeName, hash: schema.hash }, identity, reach };
}

function serverOf({ callee, calleeTarget }: Call): CallState["server"] {
  if (!(callee instanceof AppPort)) return null;
  const schema = callee.exports[calleeTarget]?.schema;
  return schema === undefined ? null : { service: schema.typeName, hash: schema.hash };
}

function queueOf(router: Router, call: Call): CallState["waitsAt"] {
  if (call.queue === null) return null;
  if (router.isWaiting(call)) return "router";
  return call.parked === Parked.REQUEST ? "callee" : "caller";
}

function restoreCall(
  router: Router,
  schemas: SchemaStore,
  call: Call,
  saved: CallState,
  parties: RestoredParties,
): void {
  const { bindingOwner, slot, copy, copyOwner } = saved;
  call.caller = saved.caller === null ? null : parties.partyOf(saved.caller);
  call.callerId = saved.callerId;
  call.callee = saved.callee === null ? null : parties.partyOf(saved.callee);
  const binding =
    bindingOwner === null
      ? undefined
      : saved.loose !== null
        ? bindLoosely(schemas, parties.partyOf(bindingOwner), saved.loose)
        : parties.bindingOf(bindingOwner, saved.binding);
  call.binding = binding ?? null;
  call.method = binding?.schema.methods[saved.method] ?? null;
  call.waitForReady = saved.waitForReady;
  if (saved.stream !== null && call.method !== null) loadStream(call, saved.stream);
  if (call.callee !== null && binding !== undefined) setRoute(schemas, call, saved, binding.schema);
  router.setDeadline(call, call.caller === null ? 0 : saved.timeLeftMs);
  call.blockTag = saved.blockTag;
  call.blockOffset = saved.blockOffset;
  call.holdsRequest = saved.holdsRequest;
  call.status = saved.status;
  call.origin = saved.origin;
  call.parked = saved.parked;
  if (slot !== null) call.slot.set(slot);
  if (copy !== null) call.copy = loadBody(copy);
  if (copyOwner !== null) call.copyOwner = parties.ownerOf(copyOwner);
  call.copyBytes = saved.copyCost;
  tellParties(router, call, saved);
}

function bindLoosely(
  schemas: SchemaStore,
  caller: Party,
  { target, schema, identity, reach }: LooseBinding,
): Binding | undefined {
  const known = schemas.acquire(schema.service, schema.hash);
  if (known === undefined) return undefined;
  schemas.release(known);
  return createBinding(-1, caller, identity, target, known, reach);
}

/** How the two schemas of a call map to each other, as the router has found it when the call was made. */
function setRoute(
  schemas: SchemaStore,
  call: Call,
  { server, calleeTarget, calleeMethod, method }: CallState,
  caller: ServiceSchema,
): void {
  call.calleeTarget = calleeTarget;
  call.calleeMethod = calleeMethod;
  call.replyCodec = call.method!.output;
  if (server === null || server.hash === caller.hash) return;
  const schema = schemas.acquire(server.service, server.hash);
  if (schema === undefined) return;
  const comparison = schemas.compare(caller, schema);
  schemas.release(schema);
  if (comparison instanceof KoalaError) return;
  const found = comparison.methods[method];
  call.requestTranscoder = found?.request ?? null;
  call.replyTranscoder = found?.response ?? null;
  call.replyCodec = schema.methods[calleeMethod]?.output ?? call.replyCodec;
}

function tellParties(router: Router, call: Call, saved: CallState): void {
  const { isHeld, waitsAt, parked, knownAs, chain } = saved;
  const { caller, callee } = call;
  if (caller instanceof AppPort) caller.engine.adoptOutgoing(call);
  // While a message of the call is parked, the app has not got the request, or has sent the reply.
  if (callee instanceof AppPort && parked === Parked.NO) callee.engine.adoptIncoming(call, knownAs);
  if (call.binding !== null && call.caller !== null) {
    const isOnChain = chain !== null && restoreChain(router.policies, call, chain);
    if (isHeld && !isOnChain) router.policies.begin(call);
  }
  const place = waitsAt === "caller" ? caller : waitsAt === "callee" ? callee : null;
  if (place instanceof AppPort) place.engine.adoptParked(call);
  else if (waitsAt === "router") router.adoptWaiting(call);
  router.streams.resume(call);
}
