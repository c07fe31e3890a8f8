/** All systems, in the order in which they take turns and are shown. */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { compatSystems } from "./compat.ts";
import { floorRingLocalSystem, floorRingTcpSystem } from "./floor-ring.ts";
import { floorTcpSystem } from "./floor-tcp.ts";
import { grpcSystem } from "./grpc.ts";
import { koalaLocalSystem, koalaTcpCopySystem, koalaTcpSystem } from "./koala.ts";
import { policySystems } from "./koala-policies.ts";
import type { System } from "./system.ts";
import { readSystem } from "./toml-system.ts";

const ownSystems: readonly System[] = [
  koalaTcpSystem,
  koalaTcpCopySystem,
  koalaLocalSystem,
  grpcSystem,
  floorTcpSystem,
  floorRingTcpSystem,
  floorRingLocalSystem,
  ...compatSystems,
  ...policySystems,
];

let loaded: readonly System[] | undefined;

/** All systems; `ERR_EVAL_SYSTEM` when a file of one is wrong. */
export function loadSystems(): readonly System[] {
  loaded ??= [...ownSystems, ...readSystems()];
  return loaded;
}

function readSystems(): System[] {
  const folder = new URL("../../systems/", import.meta.url);
  const files = existsSync(folder) ? readdirSync(folder).sort() : [];
  return files
    .filter((file) => file.endsWith(".toml"))
    .map((file) =>
      readSystem(
        file.slice(0, -".toml".length),
        `bench/systems/${file}`,
        readFileSync(new URL(file, folder), "utf8"),
      ),
    );
}

/** Names that stand for several systems. */
export const systemGroups: Readonly<Record<string, readonly string[]>> = {
  "floor-ring": [floorRingTcpSystem.name, floorRingLocalSystem.name],
};
