/** Loads a compiled module into this thread, at once: a runtime's thread never gets round to promises. */
import { createRequire } from "node:module";

/** For code in packages, Node does not warn that `require` of an ES module is young. */
const requireFrom: NodeJS.Require = createRequire("/node_modules/koala/modules.js");

/** What a compiled module exports by default. Throws what its code throws. */
export function requireModule(path: string): unknown {
  const namespace = requireFrom(path) as { default?: unknown };
  return namespace.default;
}
