/** A runtime's part in moves of apps between runtimes; see move-orders.ts for the steps. */
import { KoalaError, messageOf } from "@koala/interface";
import { monotonicMicros } from "@koala/native";
import { type Runtime, Timer } from "@koala/runtime";
import type { ServiceSchema } from "@koala/schema";
import type { Router } from "../datapath/router.ts";
import type { SchemaStore } from "../datapath/schema-store.ts";
import type { SchemaState } from "../handover/runtime-state.ts";
import type { Link } from "../link/link.ts";
import type { AppHost, HostedApp } from "../worker/app-host.ts";
import { saveApp, schemasOf } from "../worker/app-saving.ts";
import {
  bridgeAway,
  bridgeHere,
  carriedCalls,
  type Departure,
  dropBridge,
  gatherMessages,
} from "./call-bridge.ts";
import type { EngineAnswer } from "./engine-orders.ts";
import type { MovedApp, MoveOrder, ServiceName } from "./move-orders.ts";

/** How long links may take to send what refers to the app's memory, and services to become known. */
const waitMs = 1000;
const lookMs = 1;

export interface WorkerMovesOptions {
  host: AppHost;
  router: Router;
  schemas: SchemaStore;
  runtime: Runtime;
  /** Links to the other runtimes, by index. */
  siblings: () => ReadonlyMap<number, Link>;
}

type Answer = (answer: EngineAnswer) => void;

export class WorkerMoves {
  private readonly options: WorkerMovesOptions;
  /** By app: what was carried, and is not gone yet. */
  private readonly departures = new Map<number, Departure>();
  /** By app: where it came from, while it is not here for good. */
  private readonly arrivals = new Map<number, number>();
  private learned: ServiceSchema[] = [];

  constructor(options: WorkerMovesOptions) {
    this.options = options;
  }

  /** Carries a step out; `answer` is called once, perhaps later. What fails has changed nothing. */
  obey(order: MoveOrder, answer: Answer): void {
    try {
      this.carryOut(order, answer);
    } catch (error) {
      answer(failureOf(error));
    }
  }

  private carryOut(order: MoveOrder, answer: Answer): void {
    switch (order.order) {
      case "describe":
        answer({ order: "describe", schemas: statesOf(schemasOf(this.appOf(order.app))) });
        return;
      case "learn":
        this.learn(order.schemas);
        answer({ order: "learn" });
        return;
      case "leave":
        this.leave(this.appOf(order.app), answer);
        return;
      case "arrive":
        answer(this.arrive(order.moved, order.from));
        return;
      case "hear":
        this.hear(order.runtime, order.services, answer);
        return;
      case "part":
        answer(this.part(this.appOf(order.app), order.to, new Map(order.streams)));
        return;
      case "settle":
        answer(this.settle(this.appOf(order.app), order.releases));
        return;
      case "stay":
        this.stay(order.app);
        answer({ order: "stay" });
        return;
      case "expel":
        this.expel(order.app);
        answer({ order: "expel" });
    }
  }

  // ── where the app is ──────────────────────────────────────────────────────────────────────────────

  private leave(app: HostedApp, answer: Answer): void {
    const { port } = app;
    if (port.engine.violation !== "") throw gone(app.id);
    port.isMoving = true;
    port.engine.suspend();
    const atMicros = monotonicMicros();
    const { router } = this.options;
    router.evacuate(port.engine.receive.heap);
    const wrong = gatherMessages(router, port);
    if (wrong !== "") {
      this.stay(app.id);
      throw new KoalaError("ERR_ENGINE_BUSY", `${port.label}: ${wrong}`);
    }
    this.when(
      () => !port.isPinned || !this.options.host.apps.has(app.id),
      (isTrue) => {
        try {
          if (!this.options.host.apps.has(app.id)) throw gone(app.id);
          if (!isTrue) {
            const text = `${port.label}: large messages of it have been on their way for ${waitMs} ms; try again when there are fewer`;
            throw new KoalaError("ERR_ENGINE_BUSY", text);
          }
          answer({ order: "leave", moved: this.pack(app), atMicros });
        } catch (error) {
          this.stay(app.id);
          answer(failureOf(error));
        }
      },
    );
  }

  private pack(app: HostedApp): MovedApp {
    const { router } = this.options;
    const carried = carriedCalls(router, app.port);
    const state = saveApp(app);
    this.departures.set(app.id, { carried, state: state.endpoint });
    const callers = router.calls
      .filter(({ callee }) => callee === app.port)
      .map(({ binding }) => binding!.schema);
    const schemas = statesOf([...new Set([...schemasOf(app), ...callers])]);
    return { ...carried, state, schemas };
  }

  private part(app: HostedApp, to: number, streams: ReadonlyMap<number, number>): EngineAnswer {
    const { host, router } = this.options;
    const departure = this.departures.get(app.id);
    if (departure === undefined) throw gone(app.id);
    const link = this.linkTo(to);
    this.departures.delete(app.id);
    for (const entry of app.port.exports) {
      if (entry === undefined) continue;
      router.forwards.add(entry, link);
      router.removeExport(entry);
    }
    const releases = bridgeAway(router, app.port, link, departure, streams);
    host.letGo(app);
    return { order: "part", releases };
  }

  private stay(id: number): void {
    this.departures.delete(id);
    const app = this.options.host.apps.get(id);
    if (app === undefined) return;
    app.port.isMoving = false;
    app.port.engine.resume();
  }

  // ── where it goes ─────────────────────────────────────────────────────────────────────────────────

  private learn(states: readonly SchemaState[]): void {
    const { schemas } = this.options;
    for (const { descriptorSet, service, hash } of states) {
      this.learned.push(schemas.compile(descriptorSet, service, hash));
    }
  }

  private arrive(moved: MovedApp, from: number): EngineAnswer {
    const { host, router, schemas } = this.options;
    const link = this.linkTo(from);
    this.learn(moved.schemas);
    let app: HostedApp | undefined;
    try {
      app = host.adopt(moved.state);
      app.port.isMoving = true;
      const streams = bridgeHere(router, schemas, app.port, link, moved);
      this.arrivals.set(app.id, from);
      const services: ServiceName[] = [];
      for (const entry of app.port.exports) {
        if (entry === undefined) continue;
        router.forwards.drop(entry);
        router.addExport(entry);
        services.push([entry.name, entry.schema.typeName]);
      }
      return { order: "arrive", streams, services };
    } catch (error) {
      if (app !== undefined) this.remove(app, link);
      throw error;
    } finally {
      for (const schema of this.learned.splice(0)) schemas.release(schema);
    }
  }

  private settle(app: HostedApp, releases: readonly number[]): EngineAnswer {
    this.arrivals.delete(app.id);
    app.port.isMoving = false;
    for (let i = 0; i < releases.length; i += 2) {
      app.port.engine.releaseBlock(releases[i]!, releases[i + 1]!);
    }
    this.options.host.resume(app);
    return { order: "settle", atMicros: monotonicMicros() };
  }

  private expel(id: number): void {
    for (const schema of this.learned.splice(0)) this.options.schemas.release(schema);
    const from = this.arrivals.get(id);
    const app = this.options.host.apps.get(id);
    if (from === undefined || app === undefined) return;
    this.remove(app, this.options.siblings().get(from));
  }

  private remove(app: HostedApp, link: Link | undefined): void {
    const { host, router } = this.options;
    this.arrivals.delete(app.id);
    for (const entry of app.port.exports) if (entry !== undefined) router.removeExport(entry);
    dropBridge(router, app.port, link);
    host.letGo(app);
  }

  // ── everywhere ────────────────────────────────────────────────────────────────────────────────────

  private hear(runtime: number, services: readonly ServiceName[], answer: Answer): void {
    const link = this.linkTo(runtime);
    this.when(
      () => services.every(([name, service]) => link.offers(name, service) === "service"),
      (isTrue) => {
        if (isTrue) answer({ order: "hear" });
        else {
          const text = `${link.label} has not said within ${waitMs} ms what it serves`;
          answer(failureOf(new KoalaError("ERR_ENGINE_RUNTIME", text)));
        }
      },
    );
  }

  /** Calls back once something is so, or with false when it takes too long. */
  private when(isSo: () => boolean, done: (isTrue: boolean) => void): void {
    if (isSo()) {
      done(true);
      return;
    }
    const { runtime } = this.options;
    const until = monotonicMicros() / 1000 + waitMs;
    const timer = new Timer(() => {
      if (isSo()) done(true);
      else if (monotonicMicros() / 1000 > until) done(false);
      else runtime.timers.set(timer, runtime.nowMs + lookMs);
    });
    runtime.timers.set(timer, runtime.nowMs + lookMs);
  }

  private appOf(id: number): HostedApp {
    const app = this.options.host.apps.get(id);
    if (app === undefined) throw gone(id);
    return app;
  }

  private linkTo(index: number): Link {
    const link = this.options.siblings().get(index);
    if (link !== undefined && link.peer !== null) return link;
    throw new KoalaError("ERR_ENGINE_RUNTIME", `there is no way to runtime ${index}`);
  }
}

function statesOf(schemas: readonly ServiceSchema[]): SchemaState[] {
  return [...new Set(schemas)].map(({ typeName, hash, descriptorSet }) => {
    return { service: typeName, hash, descriptorSet };
  });
}

function gone(id: number): KoalaError {
  return new KoalaError("ERR_ENGINE_APP", `app ${id} is not attached here (any more)`);
}

function failureOf(error: unknown): EngineAnswer {
  const code = error instanceof KoalaError ? error.code : "ERR_ENGINE_STATE";
  return { order: "failed", code, reason: messageOf(error) };
}
