/** A report of a daemon with two runtimes, for the tests of the admin socket. */
import type { AppStatus, LinkStatus } from "@koala/protocol";
import type { RuntimeStatus, ServiceStatus } from "../worker/status.ts";
import type { DaemonReport } from "./admin-report.ts";

export const descriptorSet: string = Buffer.from("a descriptor set").toString("base64");

function app(id: number, runtime: number): AppStatus {
  return {
    id,
    runtime,
    name: `app-${id}`,
    library: "0.1.0",
    thread: 0,
    labels: {},
    pid: 100 + id,
    uid: 1000,
    callsMade: 10 * id,
    callsServed: id,
    outgoing: 1,
    incoming: 0,
    parked: 0,
    sendHeapBytes: 4096,
    receiveHeapBytes: 4096,
    receiveBlocks: 0,
    exports: ["geo"],
    attachedMs: 1_700_000_000_000,
  };
}

function link(runtime: number, state: LinkStatus["state"], peer: string): LinkStatus {
  return {
    runtime,
    address: "10.0.0.2:4500",
    direction: "outgoing",
    state,
    peer,
    since: "2026-01-01T00:00:00.000Z",
    bytesIn: 100,
    bytesOut: 200,
    calls: 1,
    parked: 0,
    problem: "",
    services: [
      { name: "geo", service: "geo.v1.Geo", hashes: ["aa", "bb"], instances: 3 },
      { name: "mail", service: "mail.v1.Mail", hashes: ["cc"], instances: 1 },
    ],
  };
}

export function localService(name: string, schema = "aa"): ServiceStatus {
  return {
    name,
    service: "geo.v1.Geo",
    schema,
    where: "local",
    instances: 1,
    methods: ["Nearest", "Lookup"],
    descriptorSet,
  };
}

function runtime(index: number): RuntimeStatus {
  return {
    index,
    rounds: 1000,
    sleeps: 10,
    spins: 0,
    spinHits: 0,
    cpuSeconds: 0.25,
    openCalls: 2,
    apps: [app(2 * index + 1, index), app(2 * index + 2, index)],
    links: [link(index, index === 0 ? "up" : "down", "host-b")],
    bindings: [],
    services: [localService("geo")],
    closures: [],
    engines: 3,
  };
}

export function createReport(): DaemonReport {
  return {
    name: "host-a",
    version: "0.1.0",
    pid: 1,
    prefix: "/run/koala",
    listen: "127.0.0.1:4500",
    startedAt: "2026-01-01T00:00:00.000Z",
    uptimeMs: 5000,
    state: "running",
    node: "v20.20.0",
    memory: { rssBytes: 1 << 26 },
    runtimes: [runtime(0), runtime(1)],
  };
}
