/**
 * The program of a runtime thread: assembles the data plane of one runtime and runs it until it is told
 * to stop. The thread blocks in epoll; commands of the control plane come through a message port that is
 * read when its doorbell rings.
 */
import { availableParallelism } from "node:os";
import { type MessagePort, receiveMessageOnPort, workerData } from "node:worker_threads";
import { messageOf } from "@koala/interface";
import { closeFd, monotonicMicros, runnableThreads, threadCpuMicros } from "@koala/native";
import type { ServiceOffer } from "@koala/protocol";
import { frameBytesMax, headBytesMax } from "@koala/protocol";
import { Runtime, Spinner, Timer } from "@koala/runtime";
import { createTcpTransport } from "@koala/transport-tcp";
import type { Config } from "../config/index.ts";
import { Router } from "../datapath/router.ts";
import { SchemaStore } from "../datapath/schema-store.ts";
import { Translator } from "../datapath/translator.ts";
import { Peers } from "../link/peers.ts";
import { createForwardingLog } from "../log/index.ts";
import { AppHost } from "./app-host.ts";
import { CommandEngine } from "./command-engine.ts";
import type { Command, Notice, WorkerData } from "./commands.ts";
import { EpollWaiter } from "./epoll-waiter.ts";
import type { RuntimeStatus } from "./status.ts";

const data = workerData as WorkerData & { port: MessagePort };
const { config, port, index } = data;
const log = createForwardingLog((record) => port.postMessage(record), data.logSpec);
const notify = (notice: Notice): void => port.postMessage(notice);

const waiter = new EpollWaiter();
const runtime = new Runtime({
  waiter,
  spinner: new Spinner(spinOptions(config)),
  nowMicros: monotonicMicros,
  budget: config.runtime.budget,
});
const schemas = new SchemaStore();
const translator = new Translator();
const router = new Router(runtime, schemas);
const host = new AppHost({
  config,
  runtime,
  router,
  schemas,
  translator,
  waiter,
  log: log.area("app"),
  notify,
});
const peers = new Peers({
  runtimeIndex: index,
  runtime,
  waiter,
  transport: createTcpTransport(),
  log: log.area("link"),
  connectTimeoutMs: config.link.connectTimeoutMs,
  reconnectMinMs: config.link.reconnectMinMs,
  reconnectMaxMs: config.link.reconnectMaxMs,
  linksMax: config.limits.links,
  offers,
  link: {
    runtime,
    router,
    schemas,
    translator,
    self: { name: config.daemon.name, instance: data.instance },
    limits: {
      messageBytes: config.limits.messageBytes,
      metadataBytes: config.limits.metadataBytes,
      schemaBytes: config.limits.schemaBytes,
      linkWindow: config.limits.linkWindowBytes,
      streamWindow: config.limits.streamWindowBytes,
      frameBytes: Math.min(frameBytesMax, config.link.frameBytes + headBytesMax),
      keepaliveMs: config.link.keepaliveMs,
    },
  },
});
router.situation = peers;
router.onExportsChanged = () => peers.announce();

let draining = false;
const drainTimer = new Timer(() => watchDrain());

const commands = new CommandEngine(() => {
  const message = receiveMessageOnPort(port) as { message: Command } | undefined;
  if (message !== undefined) obey(message.message);
  if (host.hasViolators) host.closeViolators();
  return message !== undefined;
});
host.onViolators = () => runtime.activate(commands);
waiter.addDoorbell(data.doorbell, () => runtime.activate(commands));
runtime.activate(commands);
for (const peer of data.peers) peers.add(peer);

notify({ op: "ready" });
try {
  runtime.run();
} catch (error) {
  log.area("runtime").error("the runtime failed", {
    index,
    reason: error instanceof Error ? (error.stack ?? error.message) : messageOf(error),
  });
  throw error;
}
for (const id of [...host.apps.keys()]) host.detach(id, "the daemon stops");
waiter.close();
notify({ op: "stopped" });
port.close();

function obey(command: Command): void {
  switch (command.op) {
    case "attach":
      if (draining) {
        host.turnAway(command.app, command.controlFd);
        return;
      }
      host.attach(command.app, command.controlFd, command.identity);
      return;
    case "request":
      host.request(command.app, command.request, command.fds);
      return;
    case "detach":
      host.detach(command.app, command.reason);
      return;
    case "link":
      if (draining) closeFd(command.fd);
      else peers.accept(command.fd);
      return;
    case "status":
      notify({ op: "status", seq: command.seq, status: status() });
      return;
    case "drain":
      drain();
      return;
    case "stop":
      peers.close();
      runtime.stop();
  }
}

function drain(): void {
  draining = true;
  host.announceDrain();
  for (const link of peers.links())
    link.sendGoaway("ERR_DAEMON_DRAIN", "the daemon is about to stop");
  watchDrain();
}

function watchDrain(): void {
  if (router.calls.count === 0) notify({ op: "drained" });
  else runtime.timers.set(drainTimer, runtime.nowMs + 10);
}

function offers(): ServiceOffer[] {
  const found = new Map<string, ServiceOffer>();
  for (const { name, schema } of router.exports) {
    const key = `${name}#${schema.typeName}`;
    const offer = found.get(key);
    if (offer === undefined) {
      found.set(key, { name, service: schema.typeName, hashes: [schema.hash], instances: 1 });
    } else {
      offer.instances++;
      if (!offer.hashes.includes(schema.hash)) offer.hashes.push(schema.hash);
    }
  }
  return [...found.values()];
}

function status(): RuntimeStatus {
  return {
    index,
    ...runtime.counters,
    cpuSeconds: threadCpuMicros() / 1e6,
    openCalls: router.calls.count,
    apps: host.status(index),
    links: peers.status(),
    bindings: host.bindingStatus(index),
    services: host.serviceStatus(),
  };
}

function spinOptions({
  runtime: { spin, spinMicros, spinMaxMicros },
}: Config): ConstructorParameters<typeof Spinner>[0] {
  return {
    maxMicros: spin === "off" ? 0 : spin === "fixed" ? spinMicros : spinMaxMicros,
    fixed: spin === "fixed",
    cores: availableParallelism(),
    runnableThreads,
  };
}
