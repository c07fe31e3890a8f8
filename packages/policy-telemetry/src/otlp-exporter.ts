/** Brings spans to a collector: in batches, one request at a time, bounded in number and in time. */
import { Agent as HttpAgent, request as httpRequest, type IncomingMessage } from "node:http";
import { Agent as HttpsAgent, request as httpsRequest } from "node:https";
import { messageOf } from "@koala/interface";
import { type OtlpSpan, otlpRequest, type Resource } from "./otlp.ts";

export interface ExporterOptions {
  /** With the path. */
  readonly url: URL;
  readonly headers: Readonly<Record<string, string>>;
  readonly resource: Resource;
  readonly spansMax: number;
  /** Longest wait for a batch to fill, and for the collector to answer. */
  readonly everyMs?: number;
  readonly timeoutMs?: number;
  /** First and longest pause after a failure. */
  readonly retryMinMs?: number;
  readonly retryMaxMs?: number;
  /** Longest that `close` takes. */
  readonly closeMs?: number;
  warn(message: string, fields?: Record<string, string | number | boolean>): void;
}

/** What became of spans. */
export interface SpanCounts {
  exported: number;
  /** Refused by the collector, or given up on. */
  failed: number;
  /** There was no room. */
  dropped: number;
}

const batchMax = 512;
const attemptsMax = 8;
/** Longest pause that a collector can ask for. */
const retryAfterMaxMs = 60_000;
const answerBytesMax = 65536;

/** Statuses of HTTP after which the specification of OTLP wants the same batch to be sent again. */
const retryable: ReadonlySet<number> = new Set([429, 502, 503, 504]);

interface Answer {
  readonly status: number;
  readonly retryAfterMs: number | undefined;
  readonly text: string;
}

/** A queue of spans, and the loop that empties it. */
export class OtlpExporter {
  readonly counts: SpanCounts;
  private readonly options: ExporterOptions;
  private readonly agent: HttpAgent;
  private queue: OtlpSpan[] = [];
  private timer: NodeJS.Timeout | undefined;
  private sending: Promise<void> | undefined;
  private readonly closing = new AbortController();
  private isFailing = false;
  private isLate = false;

  constructor(options: ExporterOptions, counts: SpanCounts) {
    this.options = options;
    this.counts = counts;
    const isHttps = options.url.protocol === "https:";
    this.agent = new (isHttps ? HttpsAgent : HttpAgent)({ keepAlive: true, maxSockets: 1 });
  }

  add(spans: readonly OtlpSpan[]): void {
    const room = Math.max(0, this.options.spansMax - this.queue.length);
    for (const span of spans.slice(0, room)) this.queue.push(span);
    this.counts.dropped += Math.max(0, spans.length - room);
    if (this.queue.length >= batchMax) this.send();
    else this.timer ??= setTimeout(() => this.send(), this.options.everyMs ?? 1000).unref();
  }

  /** Sends what is left, once, and lets go of the connection. What takes too long is lost. */
  async close(): Promise<void> {
    this.closing.abort();
    const limit = setTimeout(() => {
      this.isLate = true;
      this.agent.destroy();
    }, this.options.closeMs ?? 2000);
    await this.sending;
    while (this.queue.length > 0) await this.sendBatch(this.queue.splice(0, batchMax), 1);
    clearTimeout(limit);
    clearTimeout(this.timer);
    this.agent.destroy();
  }

  private send(): void {
    clearTimeout(this.timer);
    this.timer = undefined;
    this.sending ??= this.sendAll().finally(() => {
      this.sending = undefined;
    });
  }

  private async sendAll(): Promise<void> {
    while (this.queue.length > 0 && !this.closing.signal.aborted) {
      await this.sendBatch(this.queue.splice(0, batchMax), attemptsMax);
    }
  }

  private async sendBatch(batch: readonly OtlpSpan[], attempts: number): Promise<void> {
    const { options } = this;
    if (this.isLate) return this.lost(batch.length, "there was no time left");
    const body = otlpRequest(options.resource, batch);
    let pauseMs = options.retryMinMs ?? 1000;
    for (let attempt = 1; ; attempt++) {
      let retryAfterMs: number | undefined;
      let reason: string;
      let isFinal = false;
      try {
        const answer = await this.post(body);
        if (answer.status >= 200 && answer.status < 300) {
          this.delivered(batch.length, answer.text);
          return;
        }
        ({ retryAfterMs } = answer);
        isFinal = !retryable.has(answer.status);
        reason = `it answered ${answer.status}`;
      } catch (error) {
        reason = messageOf(error);
      }
      if (isFinal || attempt >= attempts || this.closing.signal.aborted) {
        this.lost(batch.length, reason);
        return;
      }
      this.warnOnce(reason);
      // Somewhere in the upper half: not all daemons at once.
      await this.pause(retryAfterMs ?? pauseMs * (0.5 + Math.random() / 2));
      pauseMs = Math.min(pauseMs * 2, options.retryMaxMs ?? 30_000);
    }
  }

  private delivered(count: number, text: string): void {
    const rejected = Math.min(count, rejectedSpans(text));
    this.counts.exported += count - rejected;
    this.counts.failed += rejected;
    if (rejected > 0) this.warnOnce(`it rejected ${rejected} spans`);
    else this.isFailing = false;
  }

  private lost(count: number, reason: string): void {
    this.counts.failed += count;
    this.warnOnce(reason);
  }

  /** Once for each time that it begins to fail: a collector that is away is away for long. */
  private warnOnce(reason: string): void {
    if (this.isFailing) return;
    this.isFailing = true;
    const collector = this.options.url.href;
    this.options.warn("spans do not get to the collector", { collector, reason });
  }

  private pause(ms: number): Promise<void> {
    const { signal } = this.closing;
    if (signal.aborted) return Promise.resolve();
    return new Promise((resolve) => {
      const done = (): void => {
        clearTimeout(timer);
        signal.removeEventListener("abort", done);
        resolve();
      };
      const timer = setTimeout(done, ms).unref();
      signal.addEventListener("abort", done);
    });
  }

  private post(body: string): Promise<Answer> {
    const { url, headers, timeoutMs = 10_000 } = this.options;
    const send = url.protocol === "https:" ? httpsRequest : httpRequest;
    return new Promise((resolve, reject) => {
      const request = send(url, {
        method: "POST",
        agent: this.agent,
        signal: AbortSignal.timeout(timeoutMs),
        headers: {
          ...headers,
          "Content-Type": "application/json",
          "Content-Length": Buffer.byteLength(body),
        },
      });
      request.once("error", reject);
      request.once("response", (response) => {
        readText(response).then((text) => {
          const retryAfterMs = readRetryAfter(response.headers["retry-after"]);
          resolve({ status: response.statusCode ?? 0, retryAfterMs, text });
        }, reject);
      });
      request.end(body);
    });
  }
}

async function readText(response: IncomingMessage): Promise<string> {
  const parts: Buffer[] = [];
  let bytes = 0;
  for await (const part of response as AsyncIterable<Buffer>) {
    bytes += part.length;
    if (bytes <= answerBytesMax) parts.push(part);
  }
  return Buffer.concat(parts).toString();
}

/** Seconds, or a date; undefined when there is neither. */
function readRetryAfter(header: string | undefined): number | undefined {
  if (header === undefined) return undefined;
  const ms = /^\d+$/.test(header) ? Number(header) * 1000 : Date.parse(header) - Date.now();
  return Number.isNaN(ms) ? undefined : Math.min(Math.max(ms, 0), retryAfterMaxMs);
}

/** How many spans the collector did not take, although it says that all is well. */
function rejectedSpans(text: string): number {
  try {
    const answer = JSON.parse(text) as { partialSuccess?: { rejectedSpans?: string | number } };
    return Math.max(0, Number(answer.partialSuccess?.rejectedSpans ?? 0) || 0);
  } catch {
    return 0; // an empty body, or none in JSON: nothing to complain about
  }
}
