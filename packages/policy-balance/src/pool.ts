/** The endpoints of one method with their weights, as long as they stay the same. */
import { type Endpoint, fits } from "@koala/policy";
import type { BalanceConfig } from "./config.ts";

/** How an endpoint has done lately. */
export interface Health {
  /** Share of calls that did not fail by the endpoint's fault; moves by a tenth with each call. */
  success: number;
}

/** A share that even the worst keep, so that it is seen when they work again. */
const successMin = 0.05;
const successStep = 0.1;

export function note(health: Health, isFailure: boolean): void {
  health.success += ((isFailure ? 0 : 1) - health.success) * successStep;
}

export class Pool {
  /** Those that may get calls. */
  readonly endpoints: readonly Endpoint[];
  private readonly weights: readonly number[];
  private readonly healths: readonly Health[];
  private readonly hashes: readonly number[];
  /** Smooth weighted round robin: what each endpoint is owed. */
  private readonly owed: number[];
  private readonly hasHealth: boolean;

  constructor(
    all: readonly Endpoint[],
    config: BalanceConfig,
    healthOf: (endpoint: Endpoint) => Health,
  ) {
    const endpoints = all.filter((endpoint) => weightOf(endpoint, config) > 0);
    this.endpoints = endpoints;
    this.weights = endpoints.map((endpoint) => weightOf(endpoint, config));
    this.healths = endpoints.map(healthOf);
    this.hashes = endpoints.map(({ label }) => hashOf(label));
    this.owed = endpoints.map(() => 0);
    this.hasHealth = config.health;
  }

  /** Each in turn, in proportion to the weights and without bursts (as nginx does it). */
  next(): Endpoint {
    const { owed, endpoints } = this;
    let total = 0;
    let best = 0;
    for (let i = 0; i < owed.length; i++) {
      const weight = this.weight(i);
      total += weight;
      owed[i] = owed[i]! + weight;
      if (owed[i]! > owed[best]!) best = i;
    }
    owed[best] = owed[best]! - total;
    return endpoints[best]!;
  }

  /** Any, with probabilities in proportion to the weights. */
  any(random: () => number): Endpoint {
    return this.endpoints[this.anyIndex(random)]!;
  }

  /** The least loaded of a few that are drawn (Mitzenmacher: the power of two choices). */
  leastLoaded(choices: number, random: () => number): Endpoint {
    let best = this.anyIndex(random);
    for (let i = 1; i < choices; i++) {
      const other = this.anyIndex(random);
      if (this.load(other) < this.load(best)) best = other;
    }
    return this.endpoints[best]!;
  }

  /**
   * The same one for the same key as long as it is there (weighted rendezvous hashing, Schindelhauer and
   * Schomaker 2005): when endpoints come and go, only their own keys move.
   */
  byKey(key: string): Endpoint {
    const hash = hashOf(key);
    let best = 0;
    let bestScore = Number.NEGATIVE_INFINITY;
    for (let i = 0; i < this.endpoints.length; i++) {
      const uniform = (mix(hash ^ this.hashes[i]!) + 0.5) / 0x1_0000_0000;
      const score = -this.weights[i]! / Math.log(uniform);
      if (score <= bestScore) continue;
      best = i;
      bestScore = score;
    }
    return this.endpoints[best]!;
  }

  private anyIndex(random: () => number): number {
    const { endpoints } = this;
    let total = 0;
    for (let i = 0; i < endpoints.length; i++) total += this.weight(i);
    let left = random() * total;
    for (let i = 0; i < endpoints.length; i++) {
      left -= this.weight(i);
      if (left < 0) return i;
    }
    return endpoints.length - 1;
  }

  private load(index: number): number {
    return (this.endpoints[index]!.inFlight + 1) / this.weight(index);
  }

  private weight(index: number): number {
    const weight = this.weights[index]!;
    return this.hasHealth ? weight * Math.max(successMin, this.healths[index]!.success) : weight;
  }
}

function weightOf({ label, instances }: Endpoint, { weights }: BalanceConfig): number {
  for (const [pattern, weight] of Object.entries(weights)) {
    if (fits(pattern, label)) return weight * Math.max(1, instances);
  }
  return Math.max(1, instances);
}

/** FNV-1a over the UTF-16 units, 32 bits, then mixed. */
function hashOf(text: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  return mix(hash);
}

/** The finalizer of MurmurHash3 (Appleby): every bit of the input moves every bit of the output. */
function mix(value: number): number {
  let hash = value;
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}
