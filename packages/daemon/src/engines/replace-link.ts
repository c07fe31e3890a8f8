/** Puts a link of newer code in the place of one that runs, on the same connection, in the same thread. */
import { KoalaError, messageOf } from "@koala/interface";
import { createBinding } from "../datapath/binding.ts";
import type { Call } from "../datapath/call.ts";
import type { Router } from "../datapath/router.ts";
import type { Link } from "../link/link.ts";
import { flowsOf } from "../streams/flow.ts";
import type { AdapterModule } from "./adapter.ts";
import type { EngineMove } from "./engine-module.ts";

/**
 * Replaces a link. What its output still refers to in the memory of apps is copied, so their blocks are
 * free; messages that are half here or half gone go on.
 *
 * @throws KoalaError `ERR_ENGINE_RESTORE` when the new code can't take over: the old link goes on then.
 */
export function replaceLink(
  before: Link,
  module: AdapterModule,
  router: Router,
  put: (before: Link, after: Link) => void,
  nowMicros: () => number,
): EngineMove {
  const began = nowMicros();
  const { label } = before;
  let after: Link;
  // Saving copies, and changes nothing: until the new link is there, the old one can just go on.
  const state = before.state.save(0, -1, { appOf: () => -1 });
  try {
    after = module.restore(before.options, state);
  } catch (error) {
    throw new KoalaError(
      "ERR_ENGINE_RESTORE",
      `${label}: the adapter ${module.version} can't take over: ${messageOf(error)}; the one before goes on`,
      { cause: error },
    );
  }
  let count = 0;
  for (const call of router.calls.filter((open) => concerns(open, before))) {
    if (call.caller === before || call.callee === before) count++;
    rename(call, before, after);
  }
  after.state.loadCalls(state);
  for (const flow of router.calls.filter((open) => open.stream !== null).flatMap(flowsOf)) {
    if (flow.receiver === after && flow.waiting.length > 0) after.adoptFlow(flow);
  }
  router.replaceLink(before, after);
  put(before, after);
  before.retire();
  after.resume();
  router.routesChanged();
  const pauseMicros = Math.round(nowMicros() - began);
  return { engine: module.name, label, pauseMicros, callsInFlight: count };
}

function concerns({ caller, callee, binding, copyOwner }: Call, link: Link): boolean {
  return caller === link || callee === link || binding?.caller === link || copyOwner === link.calls;
}

function rename(call: Call, before: Link, after: Link): void {
  if (call.caller === before) call.caller = after;
  if (call.callee === before) call.callee = after;
  if (call.copyOwner === before.calls) call.copyOwner = after.calls;
  const { binding } = call;
  if (binding === null || binding.caller !== before) return;
  const { id, identity, target, schema, reach } = binding;
  // One that is in nobody's list belongs to a call whose app has moved.
  const listed = id < 0 ? undefined : after.bindings.theirBinding(id);
  call.binding = listed ?? createBinding(id, after, identity, target, schema, reach);
}
