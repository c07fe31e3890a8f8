/** The configuration of a telemetry attachment. */
import { type ConfigProblem, z } from "@koala/policy";

/**
 * Bounds of histograms in seconds: those of Prometheus's client libraries, which existing dashboards and
 * alerts ask for by name, and smaller ones, because a call of Koala takes less than the smallest of them.
 */
const defaultBuckets: readonly number[] = [
  0.00005, 0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5,
  5, 10,
];

/** The `config` table of a `[[policy]]` that uses `telemetry`. */
export interface TelemetryConfig {
  /** Where to answer scrapes, `host:port`. */
  prometheus?: string | undefined;
  /** Base URL of an OTLP/HTTP collector; calls are traced only with one. */
  otlp?: string | undefined;
  /** Sent with every request to the collector. */
  otlp_headers: Record<string, string>;
  /** `service.name` of the spans. */
  service_name: string;
  /** Probability that a call which comes without a trace begins a sampled one. */
  sample: number;
  /**
   * `caller`: traces begin in callers' daemons only. `both`: in servers' daemons, too, for callers whose
   * daemon has no telemetry; calls that are not sampled then carry ids that say so.
   */
  begin: "caller" | "both";
  /** Gives handlers of this host's apps the header `traceparent`, also where callers sent none. */
  add_header: boolean;
  /** Counts each caller apart. */
  callers: boolean;
  /** Most combinations of side, method and caller in each runtime. */
  series_max: number;
  /** Most spans that wait for the collector. */
  spans_max: number;
  /** Upper bounds of the exposed histograms, in seconds. */
  buckets: readonly number[];
}

/** Type and defaults of the `config` table. */
export const telemetryConfig: z.ZodType<TelemetryConfig> = z.strictObject({
  prometheus: z.string().optional(),
  otlp: z.string().optional(),
  otlp_headers: z.record(z.string(), z.string()).default({}),
  service_name: z.string().min(1).max(255).default("koala"),
  sample: z.number().min(0).max(1).default(0.01),
  begin: z.enum(["caller", "both"]).default("caller"),
  add_header: z.boolean().default(false),
  callers: z.boolean().default(true),
  series_max: z.int().min(16).max(16384).default(256),
  spans_max: z.int().min(64).max(262144).default(8192),
  buckets: z
    .array(z.number())
    .min(1)
    .max(64)
    .default([...defaultBuckets]),
});

/** What the types can't say: addresses, URLs, order. */
export function checkConfig(config: TelemetryConfig): ConfigProblem[] {
  const problems: ConfigProblem[] = [];
  if (config.prometheus !== undefined && readAddress(config.prometheus) === undefined) {
    const message = 'is no address: expected "host:port", such as "127.0.0.1:9464" or "[::1]:9464"';
    problems.push({ path: ["prometheus"], message });
  }
  if (config.otlp !== undefined && readCollector(config.otlp) === undefined) {
    const message =
      'is no URL of a collector: expected "http://host:port" or "https://host:port", without a query';
    problems.push({ path: ["otlp"], message });
  }
  for (const [name, value] of Object.entries(config.otlp_headers)) {
    if (/^[\w!#$%&'*+.^`|~-]+$/.test(name) && /^[\t\x20-\x7e]*$/.test(value)) continue;
    problems.push({ path: ["otlp_headers", name], message: "is no header of HTTP" });
  }
  config.buckets.forEach((bound, index) => {
    const before = config.buckets[index - 1] ?? 0;
    if (bound > before && bound >= 1e-6 && bound <= 134) return;
    const message = `expected seconds from 0.000001 to 134, each more than the one before it, got ${bound}`;
    problems.push({ path: ["buckets", index], message });
  });
  return problems;
}

/** Where to listen. */
export interface ListenAddress {
  /** Without brackets. */
  readonly host: string;
  readonly port: number;
}

/** Reads `host:port`; undefined when it is something else. */
export function readAddress(text: string): ListenAddress | undefined {
  const match = /^(?:\[([0-9a-fA-F:.]+)\]|([\w.-]+)):(\d{1,5})$/.exec(text);
  if (match === null) return undefined;
  const port = Number(match[3]);
  return port <= 65535 ? { host: match[1] ?? match[2]!, port } : undefined;
}

/** Where the spans go; undefined when the text is no base URL of a collector. */
export function readCollector(text: string): URL | undefined {
  if (!URL.canParse(text)) return undefined;
  const url = new URL(text);
  if (url.protocol !== "http:" && url.protocol !== "https:") return undefined;
  if (url.search !== "" || url.hash !== "") return undefined;
  url.pathname = `${url.pathname.replace(/\/$/, "")}/v1/traces`;
  return url;
}
