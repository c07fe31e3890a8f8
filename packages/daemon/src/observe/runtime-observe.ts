/** What one runtime tells about its calls, for the main thread. */
import type { AppTraffic, TrafficStatus } from "@koala/protocol";
import type { AppEngineOptions } from "../datapath/app-engine.ts";
import type { AppPort } from "../datapath/app-port.ts";
import { appRegionBytes } from "../datapath/app-region.ts";
import type { Binding } from "../datapath/binding.ts";
import type { SchemaStore } from "../datapath/schema-store.ts";
import type { CallObserver } from "./call-observer.ts";
import type { ObserveAnswer, ObserveStep } from "./observe-orders.ts";

/** An app of this runtime. */
export interface ObservedApp {
  readonly id: number;
  readonly identity: { readonly name: string; readonly pid: number };
  readonly port: AppPort;
  readonly engineOptions: Pick<AppEngineOptions, "ringSlots">;
}

export interface RuntimeObserveOptions {
  readonly index: number;
  readonly observer: CallObserver;
  readonly schemas: SchemaStore;
  readonly apps: () => Iterable<ObservedApp>;
  /** What peers call here. */
  readonly served: () => Iterable<Binding>;
}

const nothing: ObserveAnswer = { calls: [], apps: [], traffic: [], schemas: [] };

export class RuntimeObserve {
  private readonly options: RuntimeObserveOptions;
  /** Names of bindings, whose ids are unique within their caller only. */
  private readonly keys = new WeakMap<Binding, string>();
  private lastKey = 0;

  constructor(options: RuntimeObserveOptions) {
    this.options = options;
  }

  /** Carries out a step; never throws. */
  carryOut(step: ObserveStep): ObserveAnswer {
    const { observer, schemas } = this.options;
    switch (step.name) {
      case "find":
        return { ...nothing, calls: observer.find(step.id) };
      case "newest":
        return { ...nothing, calls: observer.newest(step.last, step.isFailed) };
      case "traffic":
        return { ...nothing, apps: this.appTraffic(), traffic: [...this.traffic()] };
      case "tap":
        observer.taps.add(step.tap);
        return nothing;
      case "untap":
        observer.taps.remove(step.id);
        return nothing;
      case "schemas": {
        const known = schemas.all().filter(({ typeName }) => typeName === step.service);
        const versions = known.map((schema) => {
          const { hash, descriptorSet } = schema;
          return { hash, descriptorSet, others: schemas.othersOf(schema) };
        });
        return { ...nothing, schemas: versions };
      }
    }
  }

  private appTraffic(): AppTraffic[] {
    const { index: runtime, apps } = this.options;
    return Array.from(apps(), ({ id, identity, port, engineOptions }) => {
      const { engine, bytesIn, bytesOut } = port;
      const { callsMade, callsServed, outgoing, incoming } = engine;
      const { name, pid } = identity;
      const heaps = engine.send.bytes + engine.receive.usage().regionBytes;
      const sharedBytes = heaps + appRegionBytes(0, engineOptions.ringSlots);
      const counts = { callsMade, callsServed, outgoing, incoming, bytesIn, bytesOut };
      return { id, runtime, name, pid, ...counts, sharedBytes };
    });
  }

  private *traffic(): Iterable<TrafficStatus> {
    const { apps, served } = this.options;
    for (const { id, port } of apps()) {
      for (const binding of port.bindings) {
        if (binding !== undefined) yield this.rowOf(binding, port.label, id);
      }
    }
    for (const binding of served()) yield this.rowOf(binding, binding.caller.label, -1);
  }

  private rowOf(binding: Binding, caller: string, app: number): TrafficStatus {
    const { target, schema, traffic } = binding;
    let key = this.keys.get(binding);
    if (key === undefined) {
      key = String(++this.lastKey);
      this.keys.set(binding, key);
    }
    const { calls, errors, open, requestBytes, replyBytes } = traffic;
    const counts = { calls, errors, open, requestBytes, replyBytes, latency: traffic.latency() };
    const service = schema.typeName;
    return { runtime: this.options.index, key, caller, app, target, service, ...counts };
  }
}
