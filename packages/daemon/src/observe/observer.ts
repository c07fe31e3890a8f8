/** What operators see of calls: the main thread's part. */
import type { RuntimesAnswer } from "@koala/protocol";
import type { AdminRegistry } from "../control/admin-registry.ts";
import type { AreaLog } from "../log/index.ts";
import type { ObserveNotice } from "./observe-orders.ts";
import { addObserveRoutes } from "./observe-routes.ts";
import { type PolicySurroundings, PolicyTry } from "./policy-try.ts";
import { type AskedRuntime, RuntimeAsker } from "./runtime-asker.ts";
import { Taps } from "./taps.ts";

export interface ObserverOptions {
  readonly runtimes: () => readonly AskedRuntime[];
  readonly report: () => Promise<RuntimesAnswer>;
  readonly log: AreaLog;
  readonly policies: () => PolicySurroundings;
}

export class Observer {
  private readonly options: ObserverOptions;
  private readonly asker: RuntimeAsker;
  private readonly taps: Taps;

  constructor(options: ObserverOptions) {
    this.options = options;
    this.asker = new RuntimeAsker(options.runtimes);
    this.taps = new Taps(this.asker, options.log);
  }

  addRoutes(registry: AdminRegistry): void {
    addObserveRoutes(registry, this.asker, this.options.report);
    this.taps.addRoutes(registry);
    const { asker, taps } = this;
    new PolicyTry({ asker, taps, policies: this.options.policies }).addRoutes(registry);
  }

  /** A runtime has said something. */
  take(notice: ObserveNotice): void {
    if (notice.op === "observe") this.asker.take(notice);
    else this.taps.take(notice);
  }

  /** A runtime has ended. */
  lost(runtime: number): void {
    this.asker.lost(runtime);
  }

  /** A runtime that is new gets what the others have. */
  async prepare(runtime: AskedRuntime): Promise<void> {
    await this.taps.prepare(runtime);
  }
}
