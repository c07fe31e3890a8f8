/**
 * How many further attempts there may be: each call earns a fraction of one, time earns a few more, each
 * retry or hedge takes one. So when everything fails, load grows by the ratio and not by the number of
 * attempts. The idea is that of Finagle's RetryBudget; the bucket is continuous here.
 */
import type { BudgetConfig } from "./config.ts";

/** Seconds' worth of earnings that can be saved up. */
const savedSeconds = 10;

export class RetryBudget {
  tokens: number;
  private atMs: number;

  constructor(config: BudgetConfig, nowMs: number) {
    this.tokens = config.min_per_second;
    this.atMs = nowMs;
  }

  /** A call begins. */
  earn(config: BudgetConfig, nowMs: number): void {
    this.pass(config, nowMs);
    const most = Math.max(config.min_per_second, config.ratio * 100) * savedSeconds;
    this.tokens = Math.min(most, this.tokens + config.ratio);
  }

  /** Takes one attempt's worth; false when there is none. */
  take(config: BudgetConfig, nowMs: number): boolean {
    this.pass(config, nowMs);
    if (this.tokens < 1) return false;
    this.tokens--;
    return true;
  }

  private pass(config: BudgetConfig, nowMs: number): void {
    const seconds = (nowMs - this.atMs) / 1000;
    this.atMs = nowMs;
    const most = config.min_per_second * savedSeconds;
    if (this.tokens < most) {
      this.tokens = Math.min(most, this.tokens + seconds * config.min_per_second);
    }
  }
}
