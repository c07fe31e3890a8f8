/** All taps of the daemon, in the main thread: tells the runtimes what to copy, and the readers what came. */
import { KoalaError, messageOf } from "@koala/interface";
import { fits, type Selector } from "@koala/policy/engine";
import { AdminRefused, type AdminRegistry } from "../control/admin-registry.ts";
import type { AreaLog } from "../log/index.ts";
import { callReportOf } from "./call-report.ts";
import { type Decoded, decode, show } from "./message-decoder.ts";
import type { ObserveNotice, RawCall, RawMessage, TapOrder } from "./observe-orders.ts";
import { wholeOf } from "./observe-routes.ts";
import type { AskedRuntime, RuntimeAsker } from "./runtime-asker.ts";
import { SchemaBook } from "./schema-book.ts";
import { TapCondition } from "./tap-condition.ts";
import { TapSession } from "./tap-session.ts";

/** Readers at a time. */
const sessionsMax = 8;
/** Calls a second and runtime that a tap copies. */
const rateDefault = 200;
const rateMax = 1000;
const messageBytesMax = 64 * 1024;
const whereMax = 4096;
/** Calls that wait to be decoded. */
const queuedMax = 2000;

/** Gets the calls of a tap as they are copied, instead of a reader. */
export interface RawTap {
  readonly order: TapOrder;
  take(call: RawCall, runtime: number): void;
  missed(calls: number): void;
}

export class Taps {
  private readonly asker: RuntimeAsker;
  private readonly log: AreaLog;
  private readonly sessions = new Map<number, TapSession>();
  private readonly raw = new Map<number, RawTap>();
  readonly schemas: SchemaBook;
  private lastId = 0;
  private queued = 0;
  /** What has come is decoded in order. */
  private working: Promise<void> = Promise.resolve();

  constructor(asker: RuntimeAsker, log: AreaLog) {
    this.asker = asker;
    this.log = log;
    this.schemas = new SchemaBook(async (service) => {
      const answers = await asker.ask({ name: "schemas", service });
      return answers.flatMap(({ schemas }) => schemas);
    });
  }

  addRoutes(registry: AdminRegistry): void {
    registry.add({
      method: "GET",
      path: "/v1/tap",
      query: ["service", "method", "caller", "target", "where", "rate"],
      handle: ({ query }) => this.open(query),
    });
  }

  /** A runtime that is new copies what the others do. */
  async prepare(runtime: AskedRuntime): Promise<void> {
    try {
      for (const { order } of [...this.sessions.values(), ...this.raw.values()]) {
        await this.asker.askOne(runtime, { name: "tap", tap: order });
      }
    } catch (error) {
      // It serves calls all the same.
      this.log.warn("a tap does not see a runtime", {
        runtime: runtime.index,
        reason: messageOf(error),
      });
    }
  }

  /** Runtimes have copied calls. */
  take({ calls, missed, runtime }: ObserveNotice & { op: "tapped" }): void {
    for (const [id, count] of missed) {
      this.sessions.get(id)?.missed(count);
      this.raw.get(id)?.missed(count);
    }
    for (const call of calls) for (const id of call.taps) this.raw.get(id)?.take(call, runtime);
    if (this.sessions.size === 0) return;
    if (this.queued + calls.length > queuedMax) {
      for (const call of calls) for (const id of call.taps) this.sessions.get(id)?.missed(1);
      return;
    }
    this.queued += calls.length;
    this.working = this.working.then(async () => {
      for (const call of calls) await this.show(call, runtime);
      this.queued -= calls.length;
    });
  }

  /** Copies calls for somebody of this process. */
  async openRaw(
    order: Omit<TapOrder, "id">,
    sink: Pick<RawTap, "take" | "missed">,
  ): Promise<number> {
    const id = ++this.lastId;
    this.raw.set(id, { order: { ...order, id }, ...sink });
    await this.asker.ask({ name: "tap", tap: { ...order, id } });
    return id;
  }

  async closeRaw(id: number): Promise<void> {
    this.raw.delete(id);
    await this.asker.ask({ name: "untap", id });
    this.forgetSchemas();
  }

  private async open(query: URLSearchParams): Promise<TapSession> {
    if (this.sessions.size >= sessionsMax) {
      const text = `${sessionsMax} readers tap calls, which is the limit; end one of them`;
      throw new AdminRefused(503, "ERR_ADMIN_BUSY", text);
    }
    const selector = selectorOf(query);
    const condition = await this.conditionOf(query.get("where"), selector);
    const id = ++this.lastId;
    const callsPerSecond = wholeOf(query, "rate", rateMax, rateDefault);
    const order: TapOrder = { id, selector, callsPerSecond, messageBytesMax };
    const session = new TapSession(order, condition, () => this.end(id));
    this.sessions.set(id, session);
    try {
      await this.asker.ask({ name: "tap", tap: order });
    } catch (error) {
      this.end(id);
      throw error;
    }
    return session;
  }

  private end(id: number): void {
    if (!this.sessions.delete(id)) return;
    this.forgetSchemas();
    this.asker.ask({ name: "untap", id }).catch((error: unknown) => {
      this.log.warn("a tap is still open in a runtime", { tap: id, reason: messageOf(error) });
    });
  }

  private forgetSchemas(): void {
    if (this.sessions.size + this.raw.size === 0) this.schemas.clear();
  }

  private async conditionOf(
    text: string | null,
    { service, method }: Selector,
  ): Promise<TapCondition | undefined> {
    if (text === null) return undefined;
    const condition = new TapCondition(text);
    if (text.length > whereMax) {
      throw new KoalaError("ERR_TAP_WHERE", `the condition is longer than ${whereMax} characters`);
    }
    const problems: string[] = [];
    for (const name of service ?? []) {
      for (const { schema } of await this.schemas.all(name)) {
        for (const known of schema.methods) {
          if (method?.some((pattern) => fits(pattern, known.name)) === false) continue;
          const problem = condition.problemWith(known);
          // Fine for one of them is fine: calls of the others are counted as failed.
          if (problem === "") return condition;
          problems.push(`${schema.typeName}/${known.name}: ${problem}`);
        }
      }
    }
    if (problems.length > 0) throw new KoalaError("ERR_TAP_WHERE", problems[0]!);
    return condition;
  }

  private async show(call: RawCall, runtime: number): Promise<void> {
    const sessions = call.taps.flatMap((id) => this.sessions.get(id) ?? []);
    if (sessions.length === 0) return;
    try {
      const requests = await this.decodeAll(call.requests);
      const replies = await this.decodeAll(call.replies);
      const report = callReportOf(call.record, runtime);
      const shown = { ...report, requests: requests.map(show), replies: replies.map(show) };
      for (const session of sessions) {
        const { labels } = call;
        const verdict = session.condition?.judge({ report, labels, requests, replies }) ?? true;
        if (verdict === true) session.show(shown);
        else if (verdict !== false) session.failed(verdict);
      }
    } catch (error) {
      for (const session of sessions) session.failed(messageOf(error));
    }
  }

  private async decodeAll(messages: readonly RawMessage[]): Promise<Decoded[]> {
    const decoded: Decoded[] = [];
    for (const raw of messages) {
      decoded.push(...decode(raw, await this.schemas.find(raw.service, raw.schema)));
    }
    return decoded;
  }
}

function selectorOf(query: URLSearchParams): Selector {
  const list = (key: string): string[] | undefined => {
    const values = query.getAll(key);
    return values.length === 0 ? undefined : values;
  };
  const [service, method, caller, target] = ["service", "method", "caller", "target"].map(list);
  return {
    ...(service === undefined ? {} : { service }),
    ...(method === undefined ? {} : { method }),
    ...(caller === undefined ? {} : { caller }),
    ...(target === undefined ? {} : { target }),
  };
}
