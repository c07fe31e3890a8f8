/** All ways of measuring, by the name that experiments call them by. */
import type { ExperimentKind } from "../launcher/kind.ts";

export const kinds: readonly ExperimentKind[] = [];
