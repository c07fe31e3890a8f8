/** All ways of measuring, by the name that experiments call them by. */
import type { ExperimentKind } from "../launcher/kind.ts";
import { policiesKind } from "./policies.ts";

export const kinds: readonly ExperimentKind[] = [policiesKind];
