/** Puts an engine of newer code in the place of one that runs, in the same thread. */
import { KoalaError, messageOf } from "@koala/interface";
import type { AppEngine, AppEngineOptions } from "../datapath/app-engine.ts";
import type { Call } from "../datapath/call.ts";
import { Parked } from "../datapath/call.ts";
import { flowsOf } from "../streams/flow.ts";
import type { EngineMove } from "./engine-module.ts";
import type { FrontendModule } from "./frontend.ts";

/**
 * Replaces the engine that serves an app. Its calls stay open; what has been placed in the app's memory
 * stays there.
 *
 * @throws KoalaError `ERR_ENGINE_RESTORE` when the new code can't take over: the old engine goes on then.
 */
export function replaceFrontend(
  options: AppEngineOptions,
  module: FrontendModule,
  nowMicros: () => number,
): EngineMove {
  const { port, router } = options;
  const before = port.engine;
  const began = nowMicros();
  before.suspend();
  const waiting = [...before.parkedCalls()];
  const flows = [...before.parkedFlows()];
  const open = router.calls.filter(({ caller, callee }) => caller === port || callee === port);
  let after: AppEngine | undefined;
  try {
    router.evacuate(before.receive.heap);
    // The successor gets nothing that the old engine could still change.
    after = module.restore(options, structuredClone(before.decompose()));
    for (const call of open) adopt(before, after, call, port);
    for (const call of waiting) after.adoptParked(call);
    for (const flow of flows) after.adoptFlow(flow);
    port.engine = after;
    for (const flow of open.flatMap(flowsOf)) {
      if (flow.sender === port && flow.grantDue > 0) after.credit(flow);
    }
    after.resume();
  } catch (error) {
    port.engine = before;
    for (const call of waiting) before.adoptParked(call);
    for (const flow of flows) before.adoptFlow(flow);
    after?.retire();
    before.resume();
    throw new KoalaError(
      "ERR_ENGINE_RESTORE",
      `${port.label}: the frontend ${module.version} can't take over: ${messageOf(error)}; the one before goes on`,
      { cause: error },
    );
  }
  before.retire();
  return {
    engine: module.name,
    label: port.label,
    pauseMicros: Math.round(nowMicros() - began),
    callsInFlight: open.length,
  };
}

function adopt(
  before: AppEngine,
  after: AppEngine,
  call: Call,
  port: AppEngineOptions["port"],
): void {
  if (call.caller === port) after.adoptOutgoing(call);
  // While a message of the call is parked, the app has not got the request, or has sent the reply.
  if (call.callee === port && call.parked === Parked.NO) {
    after.adoptIncoming(call, before.knownAs(call));
  }
}
