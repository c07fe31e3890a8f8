/** One instance of the policy: who goes on, who waits, who is turned down. */
import {
  KeyHash,
  Origin,
  type PolicyCall,
  type PolicyContext,
  type PolicyTimer,
  Verdict,
} from "@koala/policy";
import { AdaptiveLimit } from "./adaptive-limit.ts";
import type { ConcurrencyConfig } from "./config.ts";
import { PermitTable } from "./permit-table.ts";
import { type Ticket, TicketPool } from "./ticket.ts";
import { WaitingLine } from "./waiting-line.ts";

type Context = PolicyContext<ConcurrencyConfig, Gate>;

/** How often a runtime looks whether another one has made room for those that wait here. */
const pollMs = 1;

/** Why a call is turned down, as its denial names it. */
type Rule = "limit" | "queue-full" | "queue-timeout" | "shed";

const texts: Readonly<Record<Rule, string>> = {
  limit: "as many calls are in flight as are allowed",
  "queue-full": "as many calls are in flight, and wait, as are allowed",
  "queue-timeout": "waited too long for others to end",
  shed: "turned down because calls have been waiting too long",
};

export class Gate {
  readonly table: PermitTable;
  readonly hash: KeyHash;
  private ctx: Context;
  private readonly adaptive: AdaptiveLimit;
  private readonly lines = new Map<number, WaitingLine>();
  /** All that wait, in the order in which they came. */
  private readonly arrivals = new Set<Ticket>();
  private readonly pool = new TicketPool();
  private readonly expiry: PolicyTimer;
  private readonly poll: PolicyTimer;

  constructor(ctx: Context) {
    this.ctx = ctx;
    this.table = new PermitTable(ctx.shared, ctx.runtime, ctx.random);
    this.hash = new KeyHash(this.table.seedFirst, this.table.seedSecond);
    this.adaptive = new AdaptiveLimit(this.table);
    this.expiry = ctx.timer(() => this.expire());
    this.poll = ctx.timer(() => {
      this.serveAll();
      this.watch();
    });
  }

  /** A request comes in; `first` and `second` are the hash of its key. */
  enter(call: PolicyCall, first: number, second: number): Verdict {
    const { ctx, table } = this;
    const { config } = ctx;
    const nowMs = ctx.nowMs();
    const entry = table.find(first, second, nowMs, config.limit);
    const waiting = this.lines.get(entry);
    if (waiting !== undefined) this.serve(waiting, nowMs);
    if (!this.lines.has(entry) && table.acquire(entry, this.limitOf(entry), nowMs)) {
      const ticket = this.pool.take(entry, table.generation);
      this.begin(ticket);
      call.local = ticket;
      return Verdict.PASS;
    }
    ctx.counters["crowded"] = table.crowded;
    if (config.queue.length === 0) return this.reject(call, "limit");
    return this.makeRoom(call, entry)
      ? this.wait(call, entry, nowMs)
      : this.reject(call, "queue-full");
  }

  /** A call has ended, after it went on or while it waited. */
  leave(call: PolicyCall, ticket: Ticket): void {
    const { ctx, table } = this;
    call.local = undefined;
    if (ticket.call !== undefined) {
      ctx.counters["given_up"]!++;
      this.forget(ticket);
      return;
    }
    const { entry, beganMicros, generation } = ticket;
    // Counted as in flight until here, also by who looks at the limit.
    const inFlight = table.inFlight(entry);
    if (!table.release(entry, generation)) return;
    const { adaptive } = ctx.config;
    // How long a stream is open says nothing about how busy its server is.
    const isSample = call.method.kind === "unary" && call.origin !== Origin.POLICY;
    if (adaptive !== undefined && beganMicros > 0 && isSample) {
      const micros = ctx.nowMicros() - beganMicros;
      this.adaptive.sample(entry, micros, inFlight, ctx.nowMs(), adaptive);
      ctx.counters["limit"] = this.limitOf(entry);
    }
    ctx.counters["in_flight"]!--;
    this.pool.giveBack(ticket);
    const line = this.lines.get(entry);
    if (line !== undefined) this.serve(line, ctx.nowMs());
  }

  reconfigure(ctx: Context): void {
    this.ctx = ctx;
    this.serveAll();
    this.watch();
  }

  private limitOf(entry: number): number {
    const { adaptive, limit } = this.ctx.config;
    if (adaptive === undefined) return limit;
    const learned = Math.floor(this.table.limitOf(entry));
    return Math.max(adaptive.min, Math.min(adaptive.max, learned));
  }

  private begin(ticket: Ticket): void {
    const { counters, config } = this.ctx;
    counters["passed"]!++;
    counters["in_flight"]!++;
    if (config.adaptive !== undefined) ticket.beganMicros = this.ctx.nowMicros();
  }

  private reject(call: PolicyCall, rule: Rule): Verdict {
    this.ctx.counters["rejected"]!++;
    return call.deny(this.ctx.config.status, texts[rule], rule);
  }

  /** Whether the call may wait, if need be instead of one that matters less. */
  private makeRoom(call: PolicyCall, entry: number): boolean {
    if (this.arrivals.size < this.ctx.config.queue.length) return true;
    const victim = this.lines.get(entry)?.last();
    if (victim === undefined || victim.priority >= call.priority) return false;
    this.turnDown(victim, "queue-full");
    return true;
  }

  private wait(call: PolicyCall, entry: number, nowMs: number): Verdict {
    const { ctx } = this;
    const ticket = this.pool.take(entry, this.table.generation);
    ticket.call = call;
    ticket.priority = call.priority;
    ticket.sinceMs = nowMs;
    call.local = ticket;
    let line = this.lines.get(entry);
    if (line === undefined) {
      line = new WaitingLine(entry, nowMs);
      this.lines.set(entry, line);
    }
    line.add(ticket);
    this.arrivals.add(ticket);
    ctx.counters["queued"]!++;
    if (this.arrivals.size === 1) {
      this.expiry.set(ctx.config.queue.wait);
      this.watch();
    }
    return call.hold();
  }

  /** Lets those go on for whom there is room now, and sheds. */
  private serve(line: WaitingLine, nowMs: number): void {
    const { table } = this;
    const { queue } = this.ctx.config;
    while (line.size > 0) {
      const overdue = line.overdue(nowMs, queue);
      if (overdue !== undefined) {
        this.turnDown(overdue, "shed");
        continue;
      }
      if (!table.acquire(line.entry, this.limitOf(line.entry), nowMs)) return;
      const ticket = line.first()!;
      const call = ticket.call!;
      line.sawWait(nowMs - ticket.sinceMs, nowMs, queue);
      this.takeOut(ticket);
      ticket.call = undefined;
      this.begin(ticket);
      call.resume();
    }
  }

  private serveAll(): void {
    const nowMs = this.ctx.nowMs();
    for (const line of this.lines.values()) this.serve(line, nowMs);
  }

  private turnDown(ticket: Ticket, rule: "queue-full" | "queue-timeout" | "shed"): void {
    const { counters, config } = this.ctx;
    const call = ticket.call!;
    counters[rule === "shed" ? "shed" : rule === "queue-full" ? "rejected" : "timed_out"]!++;
    call.local = undefined;
    this.forget(ticket);
    call.deny(config.status, texts[rule], rule);
  }

  private forget(ticket: Ticket): void {
    this.takeOut(ticket);
    this.pool.giveBack(ticket);
  }

  /** It does not wait any more. */
  private takeOut(ticket: Ticket): void {
    this.arrivals.delete(ticket);
    const line = this.lines.get(ticket.entry);
    if (line === undefined) return;
    line.remove(ticket);
    if (line.size === 0) this.lines.delete(ticket.entry);
    if (this.arrivals.size > 0) return;
    this.expiry.clear();
    this.poll.clear();
  }

  /** Turns down those that have waited too long. */
  private expire(): void {
    const nowMs = this.ctx.nowMs();
    const { wait } = this.ctx.config.queue;
    for (const ticket of this.arrivals) {
      const leftMs = ticket.sinceMs + wait - nowMs;
      if (leftMs > 0) {
        this.expiry.set(leftMs);
        return;
      }
      this.turnDown(ticket, "queue-timeout");
    }
  }

  /** Calls of other runtimes may end without a call of this one ending. */
  private watch(): void {
    if (this.arrivals.size > 0 && this.ctx.runtime.count > 1) this.poll.set(pollMs);
  }
}
