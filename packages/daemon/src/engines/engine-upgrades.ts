/**
 * Upgrades of engines in all runtimes of the daemon: everywhere or nowhere. Main thread.
 *
 * First every runtime loads the new code and says whether it can take over; calls go on meanwhile, but for
 * the time that loading takes. Then the engines change, one after the other, and each stands still for its
 * own change only.
 */
import { messageOf } from "@koala/interface";
import type { ChangeAnswer, ModuleStatus, UpgradeModuleRequest } from "@koala/protocol";
import { endpointStateVersion } from "../datapath/endpoint-state.ts";
import type { EventBus } from "../events/event-bus.ts";
import { linkStateVersion } from "../link/link-state.ts";
import type { AreaLog } from "../log/index.ts";
import {
  type CarriedModule,
  type CompiledCode,
  carriedOf,
  compareVersions,
} from "../modules/index.ts";
import { version as daemonVersion } from "../version.ts";
import { type EngineMove, type EngineVersion, engineContracts } from "./engine-module.ts";
import type { EngineAnswer, EngineKind } from "./engine-orders.ts";
import type { OrderTaker, RuntimeOrders } from "./runtime-orders.ts";

const prepareDeadlineMs = 10_000;
const replaceDeadlineMs = 10_000;

export interface EngineUpgradesOptions {
  runtimes: () => readonly OrderTaker[];
  orders: RuntimeOrders;
  /** Finds and compiles code. Throws a KoalaError that says what is wrong. */
  compile: (path: string) => CompiledCode;
  /** Does one change of the daemon at a time. */
  alone: <T>(change: () => Promise<T>) => Promise<T>;
  /** Of the configuration, for the answer. */
  revision: () => number;
  events: Pick<EventBus, "publish">;
  log: AreaLog;
}

/** Code of an engine that is not the daemon's own. */
interface LoadedEngine extends CompiledCode, EngineVersion {}

/** What the daemon was built with. */
const builtIn: Readonly<Record<EngineKind, EngineVersion>> = {
  frontend: { version: daemonVersion, stateVersion: endpointStateVersion },
  adapter: { version: daemonVersion, stateVersion: linkStateVersion },
};

type Prepared = Extract<EngineAnswer, { order: "prepare" }>;
type Replaced = Extract<EngineAnswer, { order: "replace" | "back" }>;

export class EngineUpgrades {
  private readonly options: EngineUpgradesOptions;
  /** What runtimes have loaded, where it is not what the daemon was built with. */
  private readonly loaded = new Map<EngineKind, LoadedEngine>();

  constructor(options: EngineUpgradesOptions) {
    this.options = options;
  }

  /** Whether a module is one of the daemon's engines, and not a policy. */
  has(module: string): boolean {
    return module === "frontend" || module === "adapter";
  }

  /** A runtime is new: it gets the code that the others have. */
  async prepare(runtime: OrderTaker): Promise<void> {
    const { orders } = this.options;
    for (const [engine, code] of this.loaded) {
      const { path } = code.compiled;
      const order = { order: "prepare", engine, path } as const;
      const { to } = await orders.give(runtime, order, prepareDeadlineMs);
      this.loaded.set(engine, { ...code, ...to });
      await orders.give(runtime, { order: "replace" }, replaceDeadlineMs);
    }
  }

  /** Code that is not what the daemon was built with, for the process that takes over. */
  saveModules(): CarriedModule[] {
    return [...this.loaded].map(([kind, code]) =>
      carriedOf({ kind, use: kind, from: code.entry, version: code.version }, code),
    );
  }

  /**
   * Before runtimes are prepared: they get the code that ran in the process before this one, unless this
   * daemon was built with a newer version. Throws what is wrong with it.
   */
  adopt(carried: readonly CarriedModule[], compile: (module: CarriedModule) => CompiledCode): void {
    for (const module of carried) {
      const { kind, version } = module;
      if (kind === "policy") continue;
      const isNewer = compareVersions(builtIn[kind].version, version) > 0;
      const text = isNewer ? "is replaced by what the daemon was built with" : "goes on";
      this.options.log.info(`the code of an engine ${text}`, { engine: kind, version });
      // Runtimes say which state it continues.
      if (!isNewer) this.loaded.set(kind, { ...compile(module), version, stateVersion: 0 });
    }
  }

  /** The code of the engines. */
  modules(): ModuleStatus[] {
    return (["frontend", "adapter"] as const).map((name) => {
      const loaded = this.loaded.get(name);
      const { version, stateVersion } = loaded ?? builtIn[name];
      const contract = `${name}/${engineContracts[name]}`;
      return {
        name,
        kind: "engine",
        version,
        stateVersion,
        use: name,
        file: loaded?.entry ?? "",
        code: loaded?.compiled.hash.slice(0, 8) ?? "",
        provides: [contract],
        needs: { contract, node: "", features: [], after: [] },
        counters: [],
        config: null,
        policies: [],
      };
    });
  }

  /**
   * Upgrades the engines of a kind to the code at `path`, or, without one, to what the daemon was built with.
   * Rejects with a KoalaError that says why not; everything goes on as before then.
   */
  async upgrade({ module, path, dryRun = false }: UpgradeModuleRequest): Promise<ChangeAnswer> {
    const { events, log, alone } = this.options;
    try {
      events.publish("upgrade", "engines-begin", { engine: module, path: path ?? "" });
      const answer = await alone(() => this.carryOut(module as EngineKind, path, dryRun));
      events.publish("upgrade", "engines-end", { engine: module, moved: countOf(answer), dryRun });
      return answer;
    } catch (error) {
      const reason = messageOf(error);
      log.warn("upgrade failed", { engine: module, reason });
      events.publish("upgrade", "engines-failed", { engine: module, reason });
      throw error;
    }
  }

  private async carryOut(
    module: EngineKind,
    path: string | undefined,
    dryRun: boolean,
  ): Promise<ChangeAnswer> {
    const { compile } = this.options;
    const code = path === undefined ? null : compile(path);
    const runtimes = this.options.runtimes();
    const prepared = await this.prepareAll(runtimes, module, code?.compiled.path ?? null);
    const { from, to } = prepared[0]!;
    const detail = `${module} ${from.version} → ${to.version}`;
    if (dryRun) {
      await this.forget(runtimes);
      return this.answer(detail, module, prepared, [], true);
    }
    const replaced = await this.replaceAll(runtimes);
    if (code === null) this.loaded.delete(module);
    else this.loaded.set(module, { ...code, ...to });
    this.options.log.info("upgraded", { engine: module, from: from.version, to: to.version });
    return this.answer(detail, module, prepared, replaced, false);
  }

  private async prepareAll(
    runtimes: readonly OrderTaker[],
    engine: EngineKind,
    path: string | null,
  ): Promise<Prepared[]> {
    const { orders } = this.options;
    try {
      return await Promise.all(
        runtimes.map((runtime) =>
          orders.give(runtime, { order: "prepare", engine, path } as const, prepareDeadlineMs),
        ),
      );
    } catch (error) {
      await this.forget(runtimes);
      throw error;
    }
  }

  /** One runtime after the other, so that a failure in the first costs the others nothing. */
  private async replaceAll(runtimes: readonly OrderTaker[]): Promise<Replaced[]> {
    const { orders } = this.options;
    const done: Replaced[] = [];
    for (const runtime of runtimes) {
      try {
        done.push(await orders.give(runtime, { order: "replace" } as const, replaceDeadlineMs));
      } catch (error) {
        for (const other of runtimes.slice(0, done.length)) {
          await orders.give(other, { order: "back" } as const, replaceDeadlineMs);
        }
        await this.forget(runtimes);
        throw error;
      }
    }
    return done;
  }

  private async forget(runtimes: readonly OrderTaker[]): Promise<void> {
    const { orders } = this.options;
    await Promise.allSettled(
      runtimes.map((runtime) =>
        orders.give(runtime, { order: "forget" } as const, prepareDeadlineMs),
      ),
    );
  }

  private answer(
    detail: string,
    module: string,
    prepared: readonly Prepared[],
    replaced: readonly Replaced[],
    dryRun: boolean,
  ): ChangeAnswer {
    const runtimes = this.options.runtimes();
    return {
      dryRun,
      revision: this.options.revision(),
      changes: [{ kind: "upgraded", policy: module, detail }],
      runtimes: prepared.map(({ micros }, i) => ({
        runtime: runtimes[i]?.index ?? i,
        prepareMicros: micros,
        pauseMicros: longest(replaced[i]?.moves ?? []),
        bindings: 0,
        openCalls: replaced[i]?.openCalls ?? 0,
        moved: replaced[i]?.moves.length ?? 0,
      })),
      needsRestart: [],
      notes: [],
      engines: replaced.flatMap(({ moves }, i) =>
        moves.map((move) => ({ ...move, runtime: runtimes[i]?.index ?? i, failed: 0 })),
      ),
    };
  }
}

function longest(moves: readonly EngineMove[]): number {
  return moves.reduce((most, { pauseMicros }) => Math.max(most, pauseMicros), 0);
}

function countOf({ runtimes }: ChangeAnswer): number {
  return runtimes.reduce((sum, { moved }) => sum + moved, 0);
}
