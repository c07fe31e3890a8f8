/** Finds the addon, checks that it is the one this code was written for, and loads it. */
import { existsSync } from "node:fs";
import { createRequire } from "node:module";
import { fileURLToPath } from "node:url";
import { KoalaError, messageOf } from "@koala/interface";
import { abi } from "./abi.ts";
import type { Binding } from "./binding.ts";
import { traced } from "./trace.ts";

/** Where `build.ts` puts the addon. */
export const addonPath: string = fileURLToPath(new URL("../build/koala.node", import.meta.url));

const remedy = `run "npm run build" (or "node ${fileURLToPath(new URL("./build.js", import.meta.url))}")`;

/** Loads the addon at `path`; every thread that calls it gets functions with a state of its own. */
export function loadBinding(path: string = addonPath): Binding {
  if (process.platform !== "linux") {
    throw new KoalaError(
      "ERR_NATIVE_PLATFORM",
      `Koala's addon needs Linux (memfd, eventfd, epoll), and this is ${process.platform}`,
    );
  }
  if (!existsSync(path)) {
    throw new KoalaError("ERR_NATIVE_MISSING", `the addon is not built: no ${path}; ${remedy}`);
  }
  const binding = requireAddon(path);
  if (binding.abi !== abi) {
    throw new KoalaError(
      "ERR_NATIVE_ABI",
      `${path} is of another version (ABI ${binding.abi}, expected ${abi}); ${remedy}`,
    );
  }
  return process.env["KOALA_NATIVE_TRACE"] === "1" ? traced(binding) : binding;
}

function requireAddon(path: string): Binding {
  try {
    return createRequire(import.meta.url)(path) as Binding;
  } catch (cause) {
    throw new KoalaError(
      "ERR_NATIVE_LOAD",
      `the addon ${path} can't be loaded: ${messageOf(cause)}; ${remedy}`,
      { cause },
    );
  }
}
