/** Rings and doorbells without calls, messages or checks: what a daemon can't be faster than. */
import { doorbellCreate } from "@koala/native";
import type { Program } from "../program.ts";
import type { Stage } from "../stage.ts";
import { createRingRegion } from "./ring-region.ts";
import type { System } from "./system.ts";

/** What an app shares with its forwarder: the region, and the doorbell of each. */
interface Neighbours {
  readonly region: number;
  readonly forwarderBell: number;
  readonly appBell: number;
}

function createNeighbours(stage: Stage): Neighbours {
  return {
    region: stage.own(createRingRegion().fd),
    forwarderBell: stage.own(doorbellCreate()),
    appBell: stage.own(doorbellCreate()),
  };
}

function startApp(stage: Stage, name: string, role: string, shared: Neighbours): Program {
  return stage.start("floor-ring-app.js", {
    name: `${name} ${role}`,
    args: [role],
    fds: [shared.region, shared.appBell, shared.forwarderBell],
  });
}

function startForwarder(
  stage: Stage,
  name: string,
  args: readonly string[],
  sides: readonly Neighbours[],
): Program {
  const fds = sides.flatMap(({ region, forwarderBell, appBell }) => [
    region,
    forwarderBell,
    appBell,
  ]);
  return stage.start("floor-ring-forwarder.js", { name, args, fds });
}

/** app - forwarder - app. */
export const floorRingLocalSystem: System = {
  name: "floor-ring-local",
  cases: ["latency", "rate"],
  byDefault: true,
  floors: {},
  start: async (stage) => {
    const near = createNeighbours(stage);
    const far = createNeighbours(stage);
    const name = "floor-ring-local";
    const forwarder = startForwarder(stage, `${name} forwarder`, ["local"], [near, far]);
    await forwarder.ready();
    const server = startApp(stage, name, "server", far);
    const client = startApp(stage, name, "client", near);
    await Promise.all([server.ready(), client.ready()]);
    return { client, server, daemons: [forwarder] };
  },
};

/** app - forwarder - TCP - forwarder - app. */
export const floorRingTcpSystem: System = {
  name: "floor-ring-tcp",
  cases: ["latency", "rate"],
  byDefault: true,
  floors: {},
  start: async (stage) => {
    const near = createNeighbours(stage);
    const far = createNeighbours(stage);
    const name = "floor-ring-tcp";
    const farForwarder = startForwarder(stage, `${name} forwarder B`, ["listen"], [far]);
    const [, port] = await farForwarder.line(/^\{"listening":true,"port":(\d+)\}$/);
    const nearForwarder = startForwarder(
      stage,
      `${name} forwarder A`,
      ["connect", String(port)],
      [near],
    );
    await Promise.all([nearForwarder.ready(), farForwarder.ready()]);
    const server = startApp(stage, name, "server", far);
    const client = startApp(stage, name, "client", near);
    await Promise.all([server.ready(), client.ready()]);
    return { client, server, daemons: [nearForwarder, farForwarder] };
  },
};
