/** All ways of measuring, by the name that experiments call them by. */
import type { ExperimentKind } from "../launcher/kind.ts";
import { ablationsKind } from "./ablations.ts";
import { bindingKind } from "./binding.ts";
import { connectionsKind } from "./connections.ts";
import { footprintKind } from "./footprint.ts";
import { loadKind } from "./load.ts";
import { policiesKind } from "./policies.ts";
import { queuesKind } from "./queues.ts";
import { timelineKind } from "./timeline.ts";
import { traceKind } from "./trace.ts";

export const kinds: readonly ExperimentKind[] = [
  loadKind,
  policiesKind,
  bindingKind,
  timelineKind,
  ablationsKind,
  traceKind,
  footprintKind,
  connectionsKind,
  queuesKind,
];
