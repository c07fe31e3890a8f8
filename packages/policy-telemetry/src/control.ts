/** The part of the policy that is on the daemon's main thread: answers scrapes, sends spans. */
import type { ControlContext, ControlPart } from "@koala/policy";
import { readCollector, type TelemetryConfig } from "./config.ts";
import { type MetricsEndpoint, serveMetrics } from "./metrics-server.ts";
import { otlpSpans } from "./otlp.ts";
import { OtlpExporter, type SpanCounts } from "./otlp-exporter.ts";
import { renderMetrics } from "./prometheus.ts";
import { readShared } from "./series.ts";
import type { SpanNotice } from "./spans.ts";

/** Starts it; fails when scrapes can't be answered at the address. */
export async function startControl(
  ctx: ControlContext<TelemetryConfig>,
): Promise<ControlPart<TelemetryConfig>> {
  const control = new TelemetryControl(ctx);
  try {
    await control.reconfigure(ctx.config);
  } catch (error) {
    await control.close();
    throw error;
  }
  return control;
}

class TelemetryControl implements ControlPart<TelemetryConfig> {
  private readonly ctx: ControlContext<TelemetryConfig>;
  private readonly counts: SpanCounts = { exported: 0, failed: 0, dropped: 0 };
  private config: TelemetryConfig;
  private endpoint: MetricsEndpoint | undefined;
  private exporter: OtlpExporter | undefined;

  constructor(ctx: ControlContext<TelemetryConfig>) {
    this.ctx = ctx;
    // What can be changed is made when it is configured.
    this.config = { ...ctx.config, prometheus: undefined, otlp: undefined };
  }

  onNotice(message: unknown): void {
    const notice = message as SpanNotice;
    if (notice.kind !== "spans") return;
    if (this.exporter === undefined) this.counts.dropped += notice.spans.length;
    else this.exporter.add(otlpSpans(notice));
  }

  /** Throws when scrapes can't be answered at the address; all else counts then, and the old address stays. */
  async reconfigure(config: TelemetryConfig): Promise<void> {
    const before = this.config;
    this.config = { ...config, prometheus: before.prometheus };
    if (collectorKey(config) !== collectorKey(before)) {
      const old = this.exporter;
      this.exporter = this.createExporter(config);
      await old?.close();
    }
    if (config.prometheus === before.prometheus) return;
    const endpoint = await this.listen(config.prometheus);
    await this.endpoint?.close();
    this.endpoint = endpoint;
    this.config = config;
  }

  async close(): Promise<void> {
    await this.endpoint?.close();
    await this.exporter?.close();
  }

  private async listen(address: string | undefined): Promise<MetricsEndpoint | undefined> {
    if (address === undefined) return undefined;
    const { ctx } = this;
    const endpoint = await serveMetrics({
      attachment: ctx.name,
      daemon: ctx.host,
      address,
      source: (format) => {
        const { series, totals } = readShared(ctx.shared, ctx.runtimes);
        return renderMetrics({ series, totals, spans: this.counts }, this.config.buckets, format);
      },
      warn: (message, fields) => ctx.warn(message, fields),
    });
    if (address.endsWith(":0")) {
      ctx.warn("metrics are at a port that the system chose", { address: endpoint.address });
    }
    return endpoint;
  }

  private createExporter(config: TelemetryConfig): OtlpExporter | undefined {
    if (config.otlp === undefined) return undefined;
    const { ctx } = this;
    const options = {
      url: readCollector(config.otlp)!,
      headers: config.otlp_headers,
      resource: { serviceName: config.service_name, daemon: ctx.host },
      spansMax: config.spans_max,
      warn: (message: string, fields?: Record<string, string | number | boolean>) =>
        ctx.warn(message, fields),
    };
    return new OtlpExporter(options, this.counts);
  }
}

/** What an exporter is made of; it is made anew when this changes. */
function collectorKey(config: TelemetryConfig): string {
  const { otlp, otlp_headers, service_name, spans_max } = config;
  return JSON.stringify([otlp, otlp_headers, service_name, spans_max]);
}
