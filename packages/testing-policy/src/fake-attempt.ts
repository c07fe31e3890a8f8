/** Attempts and copies of requests, as a policy asks for them, without a network. */
import { Origin, Status } from "@koala/interface";
import type { Attempt, AttemptOptions, PolicyTimer } from "@koala/policy";
import type { LiveCall } from "@koala/policy/engine";
import type { FakeClock } from "./fake-clock.ts";
import type { FakeEndpoint } from "./fake-endpoint.ts";
import type { HarnessCall, Reply } from "./harness-call.ts";

/** What an attempt needs of its harness. */
export interface AttemptDriver {
  readonly clock: FakeClock;
  /** Runs something when the handler that runs now is through. */
  soon(work: () => void): void;
  /** Runs what the policy does when an attempt has ended. */
  ended(attempt: FakeAttempt, reply: Reply): void;
}

export class FakeAttempt implements Attempt {
  readonly call: LiveCall;
  readonly number: number;
  readonly endpoint: FakeEndpoint | undefined;
  readonly startedMs: number;
  readonly options: AttemptOptions;
  /** For the harness. */
  readonly owner: HarnessCall;
  status: Status = Status.OK;
  origin: Origin = Origin.REMOTE_APP;
  /** "open" until it has an outcome or is given up. */
  state: "open" | "ended" | "cancelled" = "open";
  private readonly timers: PolicyTimer[] = [];
  private readonly driver: AttemptDriver;

  constructor(
    driver: AttemptDriver,
    owner: HarnessCall,
    options: AttemptOptions,
    number: number,
    endpoint: FakeEndpoint | undefined,
  ) {
    this.driver = driver;
    this.owner = owner;
    this.call = owner.live;
    this.options = options;
    this.number = number;
    this.endpoint = endpoint;
    this.startedMs = driver.clock.nowMs;
    if (endpoint !== undefined) endpoint.inFlight++;
  }

  /** Something will be its outcome after this time. */
  expect(reply: Reply, afterMs: number): void {
    if (afterMs <= 0) {
      this.driver.soon(() => this.end(reply));
      return;
    }
    const timer = this.driver.clock.timer(() => this.end(reply));
    timer.set(afterMs);
    this.timers.push(timer);
  }

  end(reply: Reply): void {
    if (this.state !== "open") return;
    this.close("ended");
    this.status = reply.status ?? Status.OK;
    this.origin = reply.origin ?? Origin.REMOTE_APP;
    this.driver.ended(this, reply);
  }

  cancel(): void {
    if (this.state === "open") this.close("cancelled");
  }

  private close(state: "ended" | "cancelled"): void {
    this.state = state;
    if (this.endpoint !== undefined) this.endpoint.inFlight--;
    for (const timer of this.timers) timer.clear();
  }
}
