/** The loaded addon, once per thread. */
import type { Binding } from "./binding.ts";
import { loadBinding } from "./load.ts";

/** All native functions; the other modules of this package take theirs from here. */
export const native: Binding = loadBinding();
