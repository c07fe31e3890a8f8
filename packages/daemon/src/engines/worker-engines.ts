/** A runtime's part in upgrades of its frontends. Control plane on the runtime's thread. */
import { KoalaError, messageOf } from "@koala/interface";
import { monotonicMicros } from "@koala/native";
import type { AppEngineOptions } from "../datapath/app-engine.ts";
import type { Router } from "../datapath/router.ts";
import { requireModule } from "../modules/require-module.ts";
import { type EngineMove, engineModuleProblem } from "./engine-module.ts";
import type { EngineAnswer, UpgradeOrder } from "./engine-orders.ts";
import { builtInFrontend, type FrontendModule } from "./frontend.ts";
import { replaceFrontend } from "./replace-engine.ts";

/** Whose engines they are. */
export interface EngineHost {
  /** The code that new apps are served by. */
  frontend: FrontendModule;
  /** What the engines of all attached apps were made with. */
  engineOptionsOfAll(): AppEngineOptions[];
}

export interface WorkerEnginesOptions {
  host: EngineHost;
  router: Router;
  /** Loads compiled code, at once. */
  load?: (path: string) => unknown;
}

export class WorkerEngines {
  private readonly options: WorkerEnginesOptions;
  private prepared: FrontendModule | null = null;
  /** What `back` goes back to. */
  private before: FrontendModule | null = null;

  constructor(options: WorkerEnginesOptions) {
    this.options = options;
  }

  /** Never throws: what goes wrong is in the answer, and nothing has changed then. */
  obey(order: UpgradeOrder): EngineAnswer {
    try {
      return this.carryOut(order);
    } catch (error) {
      const code = error instanceof KoalaError ? error.code : "ERR_ENGINE_LOAD";
      return { order: "failed", code, reason: messageOf(error) };
    }
  }

  private carryOut(order: UpgradeOrder): EngineAnswer {
    const { host } = this.options;
    switch (order.order) {
      case "prepare":
        return this.prepare(order.path);
      case "replace": {
        const next = this.prepared;
        if (next === null) throw new KoalaError("ERR_ENGINE_LOAD", "no frontend was prepared");
        const before = host.frontend;
        const moves = this.replaceAll(before, next);
        this.before = before;
        this.prepared = null;
        return { order: "replace", moves, openCalls: this.options.router.calls.count };
      }
      case "back": {
        const { before } = this;
        const moves = before === null ? [] : this.replaceAll(host.frontend, before);
        this.before = null;
        return { order: "back", moves, openCalls: this.options.router.calls.count };
      }
      case "forget":
        this.prepared = null;
        return { order: "forget" };
    }
  }

  private prepare(path: string | null): EngineAnswer {
    const { host, load = requireModule } = this.options;
    const began = monotonicMicros();
    const found = path === null ? builtInFrontend : load(path);
    const problem = engineModuleProblem(found, "frontend");
    if (problem !== "") throw new KoalaError("ERR_ENGINE_MODULE", problem);
    const module = found as FrontendModule;
    const from = { version: host.frontend.version, stateVersion: host.frontend.stateVersion };
    const refusal = module.accepts(from);
    if (refusal !== "") throw new KoalaError("ERR_ENGINE_VERSION", refusal);
    this.prepared = module;
    const to = { version: module.version, stateVersion: module.stateVersion };
    return { order: "prepare", from, to, micros: Math.round(monotonicMicros() - began) };
  }

  /** All or none: what has moved already moves back when one can't. */
  private replaceAll(from: FrontendModule, to: FrontendModule): EngineMove[] {
    const { host } = this.options;
    const moves: EngineMove[] = [];
    const moved: AppEngineOptions[] = [];
    for (const options of host.engineOptionsOfAll()) {
      try {
        moves.push(replaceFrontend(options, to, monotonicMicros));
        moved.push(options);
      } catch (error) {
        const left = moved.filter((each) => !movesBack(each, from));
        const rest = left.map(({ port }) => port.label).join(", ");
        const suffix = left.length === 0 ? "" : `; ${rest} could not move back and stay with it`;
        throw new KoalaError("ERR_ENGINE_RESTORE", messageOf(error) + suffix, { cause: error });
      }
    }
    host.frontend = to;
    return moves;
  }
}

function movesBack(options: AppEngineOptions, to: FrontendModule): boolean {
  try {
    replaceFrontend(options, to, monotonicMicros);
    return true;
  } catch {
    return false;
  }
}
