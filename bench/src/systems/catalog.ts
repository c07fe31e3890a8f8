/** All systems, in the order in which they take turns and are shown. */
import { compatSystems } from "./compat.ts";
import { floorRingLocalSystem, floorRingTcpSystem } from "./floor-ring.ts";
import { floorTcpSystem } from "./floor-tcp.ts";
import { grpcSystem } from "./grpc.ts";
import { koalaLocalSystem, koalaTcpCopySystem, koalaTcpSystem } from "./koala.ts";
import { policySystems } from "./koala-policies.ts";
import type { System } from "./system.ts";

export const systems: readonly System[] = [
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

/** Names that stand for several systems. */
export const systemGroups: Readonly<Record<string, readonly string[]>> = {
  "floor-ring": [floorRingTcpSystem.name, floorRingLocalSystem.name],
};
