/** A runtime's part in upgrades of its engines. Control plane on the runtime's thread. */
import { KoalaError, messageOf } from "@koala/interface";
import { monotonicMicros } from "@koala/native";
import type { AppEngineOptions } from "../datapath/app-engine.ts";
import type { Router } from "../datapath/router.ts";
import type { Link } from "../link/link.ts";
import type { LinkOptions } from "../link/link-options.ts";
import { requireModule } from "../modules/require-module.ts";
import { type AdapterModule, builtInAdapter } from "./adapter.ts";
import { type EngineMove, type EngineVersion, engineModuleProblem } from "./engine-module.ts";
import type { EngineAnswer, EngineKind, UpgradeOrder } from "./engine-orders.ts";
import { builtInFrontend, type FrontendModule } from "./frontend.ts";
import { replaceFrontend } from "./replace-engine.ts";
import { replaceLink } from "./replace-link.ts";

export interface WorkerEnginesOptions {
  router: Router;
  host: {
    /** The code that new apps are served by. */
    frontend: FrontendModule;
    /** What the engines of all attached apps were made with. */
    engineOptionsOfAll(): AppEngineOptions[];
  };
  /** All links, to other daemons and to other runtimes. */
  links: () => Link[];
  /** Another object goes on with the connection of a link. */
  putLink: (before: Link, after: Link) => void;
  /** Loads compiled code, at once. */
  load?: (path: string) => unknown;
}

/** The code of one kind of engine. */
type Code = FrontendModule | AdapterModule;

export class WorkerEngines {
  private readonly options: WorkerEnginesOptions;
  private adapter: AdapterModule = builtInAdapter;
  private prepared: Code | null = null;
  /** What `back` goes back to. */
  private before: Code | null = null;

  constructor(options: WorkerEnginesOptions) {
    this.options = options;
  }

  /** Makes a link, by the code that is in use now. */
  createLink(options: LinkOptions): Link {
    return options.saved === undefined
      ? this.adapter.create(options)
      : this.adapter.restore(options, options.saved);
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
    switch (order.order) {
      case "prepare":
        return this.prepare(order.engine, order.path);
      case "replace": {
        const next = this.prepared;
        if (next === null) throw new KoalaError("ERR_ENGINE_LOAD", "no code was prepared");
        const before = this.codeOf(next);
        const moves = this.replaceAll(before, next);
        this.before = before;
        this.prepared = null;
        return { order: "replace", moves, openCalls: this.options.router.calls.count };
      }
      case "back": {
        const { before } = this;
        const moves = before === null ? [] : this.replaceAll(this.codeOf(before), before);
        this.before = null;
        return { order: "back", moves, openCalls: this.options.router.calls.count };
      }
      case "forget":
        this.prepared = null;
        return { order: "forget" };
    }
  }

  private prepare(engine: EngineKind, path: string | null): EngineAnswer {
    const { load = requireModule, host } = this.options;
    const began = monotonicMicros();
    const builtIn = engine === "frontend" ? builtInFrontend : builtInAdapter;
    const found = path === null ? builtIn : load(path);
    const problem = engineModuleProblem(found, engine);
    if (problem !== "") throw new KoalaError("ERR_ENGINE_MODULE", problem);
    const module = found as Code;
    const from = versionOf(engine === "frontend" ? host.frontend : this.adapter);
    const refusal = module.accepts(from);
    if (refusal !== "") throw new KoalaError("ERR_ENGINE_VERSION", refusal);
    this.prepared = module;
    const micros = Math.round(monotonicMicros() - began);
    return { order: "prepare", from, to: versionOf(module), micros };
  }

  /** The code in use of the same kind. */
  private codeOf(other: Code): Code {
    return isFrontend(other) ? this.options.host.frontend : this.adapter;
  }

  /** All or none: what has moved already moves back when one can't. */
  private replaceAll(from: Code, to: Code): EngineMove[] {
    const { host } = this.options;
    if (isFrontend(to)) {
      const moves = replaceEach(host.engineOptionsOfAll(), from as FrontendModule, to, (o, code) =>
        replaceFrontend(o, code, monotonicMicros),
      );
      host.frontend = to;
      return moves;
    }
    const moves = this.replaceLinks(from as AdapterModule, to);
    this.adapter = to;
    return moves;
  }

  private replaceLinks(from: AdapterModule, to: AdapterModule): EngineMove[] {
    const { router, putLink } = this.options;
    // A link has another object after each replacement.
    const places = this.options.links().map((link) => ({ link }));
    return replaceEach(places, from, to, (place, code) => {
      const put = (before: Link, after: Link): void => {
        place.link = after;
        putLink(before, after);
      };
      return replaceLink(place.link, code, router, put, monotonicMicros);
    });
  }
}

function replaceEach<Place, Module extends EngineVersion>(
  places: readonly Place[],
  from: Module,
  to: Module,
  replace: (place: Place, code: Module) => EngineMove,
): EngineMove[] {
  const moves: EngineMove[] = [];
  for (const [index, place] of places.entries()) {
    try {
      moves.push(replace(place, to));
    } catch (error) {
      const left = moves.filter((_, i) => i < index && !succeeds(() => replace(places[i]!, from)));
      const rest = left.map(({ label }) => label).join(", ");
      const suffix = rest === "" ? "" : `; ${rest} could not move back and stay with it`;
      throw new KoalaError("ERR_ENGINE_RESTORE", messageOf(error) + suffix, { cause: error });
    }
  }
  return moves;
}

function succeeds(action: () => unknown): boolean {
  try {
    action();
    return true;
  } catch {
    return false;
  }
}

function isFrontend(code: Code): code is FrontendModule {
  return code.name === "frontend";
}

function versionOf({ version, stateVersion }: EngineVersion): EngineVersion {
  return { version, stateVersion };
}
