/** All scenes of connect-es, by their names. */
import type { Scene } from "./connect-scene.ts";
import { callScenes } from "./connect-scenes-calls.ts";
import { failureScenes } from "./connect-scenes-failures.ts";
import { interceptorScenes } from "./connect-scenes-interceptors.ts";
import { serverScenes } from "./connect-scenes-servers.ts";

export const scenes: Readonly<Record<string, Scene>> = {
  ...callScenes,
  ...failureScenes,
  ...interceptorScenes,
  ...serverScenes,
};
