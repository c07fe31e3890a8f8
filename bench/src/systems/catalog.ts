/** All systems: those that a file of `bench/systems/` describes, and those whose turns share programs. */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { policySystems } from "./koala-policies.ts";
import type { System } from "./system.ts";
import { readSystem } from "./toml-system.ts";

/** The order in which those of the short form take turns and are shown; others follow. */
const order: readonly string[] = [
  "koala-tcp",
  "koala-tcp-copy",
  "koala-local",
  "grpc-js",
  "floor-tcp",
  "floor-ring-tcp",
  "floor-ring-local",
  "connect-koala",
  "connect-node",
  "grpc-js-koala",
  "grpc-js-ingress",
];

let loaded: readonly System[] | undefined;

/** All systems; `ERR_EVAL_SYSTEM` when a file of one is wrong. */
export function loadSystems(): readonly System[] {
  loaded ??= [...readSystems(), ...policySystems];
  return loaded;
}

function readSystems(): System[] {
  const folder = new URL("../../systems/", import.meta.url);
  const files = existsSync(folder) ? readdirSync(folder).sort() : [];
  const systems = files
    .filter((file) => file.endsWith(".toml"))
    .map((file) =>
      readSystem(
        file.slice(0, -".toml".length),
        `bench/systems/${file}`,
        readFileSync(new URL(file, folder), "utf8"),
      ),
    );
  const placeOf = ({ name }: System): number => {
    const place = order.indexOf(name);
    return place < 0 ? order.length : place;
  };
  return systems.sort((a, b) => placeOf(a) - placeOf(b));
}

/** Names that stand for several systems. */
export const systemGroups: Readonly<Record<string, readonly string[]>> = {
  "floor-ring": ["floor-ring-tcp", "floor-ring-local"],
};
