/**
 * The program of a runtime thread: assembles the data plane of one runtime and runs it until it is told
 * to stop. The thread blocks in epoll; commands of the control plane come through a message port that is
 * read when its doorbell rings.
 */

import { randomBytes } from "node:crypto";
import { readlinkSync } from "node:fs";
import { availableParallelism } from "node:os";
import { type MessagePort, receiveMessageOnPort, workerData } from "node:worker_threads";
import { messageOf } from "@koala/interface";
import {
  closeFd,
  descriptorLedger,
  doorbellRing,
  monotonicMicros,
  runnableThreads,
  setAffinity,
  threadCpuMicros,
  threadYield,
} from "@koala/native";
import { frameBytesMax, headBytesMax } from "@koala/protocol";
import { Heartbeat, Runtime, Timer } from "@koala/runtime";
import { Spinner, without } from "@koala/shm";
import { createTcpTransport } from "@koala/transport-tcp";
import type { Config } from "../config/index.ts";
import type { Binding } from "../datapath/binding.ts";
import { Router } from "../datapath/router.ts";
import { SchemaStore } from "../datapath/schema-store.ts";
import { Translator } from "../datapath/translator.ts";
import { type EngineCommand, isUpgradeOrder } from "../engines/engine-orders.ts";
import { WorkerEngines } from "../engines/worker-engines.ts";
import { WorkerMoves } from "../engines/worker-moves.ts";
import { EventSource } from "../events/event-source.ts";
import { RuntimeSaving } from "../handover/runtime-saving.ts";
import { WorkerHandover } from "../handover/worker-handover.ts";
import type { SharedLinkOptions } from "../link/link-options.ts";
import { mergeOffers, offersOf } from "../link/offers.ts";
import { Peers } from "../link/peers.ts";
import { Siblings } from "../link/siblings.ts";
import { createForwardingLog } from "../log/index.ts";
import { RuntimeObserve } from "../observe/runtime-observe.ts";
import { AppHost } from "./app-host.ts";
import { Closures } from "./closures.ts";
import { CommandEngine } from "./command-engine.ts";
import type { Command, Notice, WorkerData } from "./commands.ts";
import { EpollWaiter } from "./epoll-waiter.ts";
import { RuntimePolicies } from "./runtime-policies.ts";
import { createSlotHost } from "./slot-host.ts";
import type { RuntimeStatus } from "./status.ts";

const drainQuietMs = 50;
const drainLookMs = 10;

const data = workerData as WorkerData & { port: MessagePort };
const { config, port, index } = data;
const log = createForwardingLog((record) => port.postMessage(record), data.logSpec);
const notify = (notice: Notice): void => port.postMessage(notice);

// Before anything is opened: what this thread leaves behind if it fails must be known.
descriptorLedger(data.descriptors);
tieToProcessors();
const heartbeat = new Heartbeat(data.heartbeat);
heartbeat.onDozing = () => void doorbellRing(data.alarm);
heartbeat.begin(monotonicMicros(), kernelThreadId());

const waiter = new EpollWaiter();
const runtime = new Runtime({
  waiter,
  spinner: new Spinner(spinOptions(config)),
  nowMicros: monotonicMicros,
  yieldThread: threadYield,
  budget: config.runtime.budget,
  heartbeat,
});
const events = new EventSource({
  runtime: index,
  post: notify,
  nowMs: () => runtime.nowMs,
  reportLater: (afterMs) => runtime.timers.set(eventTimer, runtime.nowMs + afterMs),
});
const eventTimer = new Timer(() => events.report());
const schemas = new SchemaStore();
const translator = new Translator();
const router = new Router(runtime, schemas, requestIdPrefix());
const closures = new Closures();
const host = new AppHost({
  config,
  runtime,
  router,
  schemas,
  translator,
  waiter,
  log: log.area("app"),
  notify,
  emitEvent: events.emit,
  closures,
});
const link: SharedLinkOptions = {
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
};
const engines = new WorkerEngines({
  router,
  host,
  links: () => [...siblings.all().values(), ...peers.links()],
  putLink: (before, after) => {
    if (!siblings.replace(before, after)) peers.replace(before, after);
  },
});
const peers = new Peers({
  createLink: (options) => engines.createLink(options),
  runtimeIndex: index,
  runtime,
  waiter,
  transport: createTcpTransport(),
  log: log.area("link"),
  emitEvent: events.emit,
  closures,
  connectTimeoutMs: config.link.connectTimeoutMs,
  reconnectMinMs: config.link.reconnectMinMs,
  reconnectMaxMs: config.link.reconnectMaxMs,
  linksMax: config.limits.links,
  offers: () => mergeOffers([...offersOf(router.exports), ...siblings.services()]),
  link,
});
const siblings = new Siblings({
  createLink: (options) => engines.createLink(options),
  runtime,
  waiter,
  log: log.area("link"),
  offers: () => offersOf(router.exports),
  onServices: () => {
    peers.announce();
    reportReady();
  },
  link,
});
const place = { index, count: config.daemon.runtimes };
const policies = new RuntimePolicies({
  place,
  chains: router.policies,
  host: createSlotHost({
    runtime,
    router,
    log: log.area("policy"),
    place,
    nowMicros: monotonicMicros,
    cpuMicros: threadCpuMicros,
    running: heartbeat.running,
    emitEvent: events.emit,
    post: (slot, message) => {
      const waiting = policies.admitMessage();
      if (waiting === undefined) return false;
      notify({ op: "policy-message", runtime: index, id: slot.id, message, waiting });
      return true;
    },
    onFailed: (slot, reason) => {
      notify({ op: "policy-failed", runtime: index, id: slot.id, name: slot.name, reason });
    },
  }),
  nowMicros: monotonicMicros,
  openCalls: () => router.calls.count,
  bindings: allBindings,
  schemas: () => schemas.all(),
  log: log.area("policy"),
});
router.policies.onStopped = ({ id }) => notify({ op: "policy-ended", runtime: index, id });
schemas.onCompiled = (schema) => policies.checkService(schema);
router.onDenied = (report) => events.emit("policy", "denied", { ...report });
router.situation = peers;
router.onExportsChanged = () => {
  siblings.announce();
  peers.announce();
};

const observe = new RuntimeObserve({
  ...{ index, schemas, observer: router.observer },
  apps: () => host.apps.values(),
  served: servedBindings,
});
router.observer.taps.onTapped = (calls, missed) => {
  notify({ op: "tapped", runtime: index, calls, missed });
};

const moves = new WorkerMoves({
  ...{ host, router, schemas, runtime },
  siblings: () => siblings.all(),
});
let isReady = false;
let isOpen = false;
let draining = false;
let quietSinceMs = 0;
const drainTimer = new Timer(() => watchDrain());

runtime.onLongRound = (serial, micros) => {
  for (const { slot } of router.policies.all) slot.roundTook(serial, micros);
};
const commands = new CommandEngine(() => {
  const message = receiveMessageOnPort(port) as { message: Command } | undefined;
  if (message !== undefined) obey(message.message);
  if (host.hasViolators) host.closeViolators();
  return message !== undefined;
});
host.onViolators = () => runtime.activate(commands);
waiter.addDoorbell(data.doorbell, () => runtime.activate(commands));
runtime.activate(commands);
const saving = new RuntimeSaving({
  ...{ index, host, router, schemas, peers, siblings, policies },
  siblingEnds: data.siblings,
  peerAddresses: data.peers,
});
const handover = new WorkerHandover({
  ...{ index, port, doorbell: data.doorbell, runtime, schemas, notify, obey },
  save: () => saving.save(),
  goOn: () => saving.goOn(),
  restore: (state) => saving.restore(state),
  resume: () => {
    isOpen = true;
    saving.resume();
  },
});
if (data.isTakeover !== true) for (const sibling of data.siblings) siblings.add(sibling);
reportReady();
try {
  runtime.run();
} catch (error) {
  log.area("runtime").error("the runtime failed", {
    index,
    reason: error instanceof Error ? (error.stack ?? error.message) : messageOf(error),
  });
  throw error;
}
for (const id of [...host.apps.keys()]) host.detach(id, "", "the daemon stops");
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
      host.detach(command.app, command.code, command.reason);
      return;
    case "link":
      if (draining) closeFd(command.fd);
      else peers.accept(command.fd);
      return;
    case "open":
      if (isOpen) return;
      isOpen = true;
      for (const peer of data.peers) peers.add(peer);
      return;
    case "freeze":
    case "schemas":
    case "save":
    case "prepare":
    case "restore":
    case "thaw":
    case "leave":
      handover.obey(command);
      return;
    case "sibling":
      siblings.add(command.sibling);
      return;
    case "sibling-gone":
      siblings.remove(command.runtime, command.reason);
      reportReady();
      return;
    case "engines":
      obeyEngines(command);
      return;
    case "policies": {
      const answer = policies.carryOut(command.step);
      notify({ op: "policies", runtime: index, seq: command.seq, answer });
      return;
    }
    case "observe": {
      const answer = observe.carryOut(command.step);
      notify({ op: "observe", runtime: index, seq: command.seq, answer });
      return;
    }
    case "log":
      log.setSpec(command.spec);
      return;
    case "status":
      notify({ op: "status", seq: command.seq, status: status() });
      return;
    case "drain":
      drain();
      return;
    case "stop":
      peers.close();
      siblings.close();
      router.policies.close();
      runtime.stop();
  }
}

function obeyEngines(command: EngineCommand): void {
  const { op, seq } = command;
  if (isUpgradeOrder(command)) notify({ op, seq, ...engines.obey(command) });
  else moves.obey(command, (answer) => notify({ op, seq, ...answer }));
}

/** Of the apps of this runtime, and of peers, which have done the callers' part of policies themselves. */
function* allBindings(): Iterable<Binding> {
  yield* host.bindings();
  yield* servedBindings();
}

function* servedBindings(): Iterable<Binding> {
  for (const peer of peers.links()) yield* peer.bindings.served();
}

function drain(): void {
  draining = true;
  quietSinceMs = runtime.nowMs;
  host.announceDrain();
  for (const link of peers.links())
    link.sendGoaway("ERR_DAEMON_DRAIN", "the daemon is about to stop");
  watchDrain();
}

/** Calls that were made before the word of the end got through still come in: quiet is when it lasts. */
function watchDrain(): void {
  if (router.calls.count > 0) quietSinceMs = runtime.nowMs;
  if (runtime.nowMs - quietSinceMs >= drainQuietMs) notify({ op: "drained" });
  else runtime.timers.set(drainTimer, runtime.nowMs + drainLookMs);
}

/** Says so once all runtimes have found each other. */
function reportReady(): void {
  if (isReady || !siblings.areUp) return;
  isReady = true;
  notify({ op: "ready" });
}

function status(): RuntimeStatus {
  return {
    index,
    ...runtime.counters,
    engines: host.apps.size + peers.links().length + siblings.count,
    cpuSeconds: threadCpuMicros() / 1e6,
    openCalls: router.calls.count,
    apps: host.status(index),
    links: peers.status(),
    bindings: host.bindingStatus(index),
    services: host.serviceStatus(),
    closures: closures.status(),
  };
}

function tieToProcessors(): void {
  if (data.cpus.length === 0) return;
  try {
    setAffinity(data.cpus);
  } catch (error) {
    const cpus = data.cpus.join(",");
    log.area("runtime").warn("not tied to processors", { index, cpus, reason: messageOf(error) });
  }
}

/** What the kernel calls this thread; 0 when it does not say. */
function kernelThreadId(): number {
  try {
    return Number(readlinkSync("/proc/thread-self").split("/").at(-1));
  } catch {
    return 0;
  }
}

function spinOptions({
  runtime: { spin, spinMicros, spinMaxMicros },
}: Config): ConstructorParameters<typeof Spinner>[0] {
  return {
    maxMicros:
      spin === "off" || without.spinning ? 0 : spin === "fixed" ? spinMicros : spinMaxMicros,
    fixed: spin === "fixed",
    cores: availableParallelism(),
    runnableThreads,
  };
}

/**
 * Short enough to read out, and another one at each start of a thread, also when it goes on with what an
 * earlier process began: the numbers behind it start anew.
 */
function requestIdPrefix(): string {
  return `${randomBytes(4).toString("hex")}-${index}`;
}
