/**
 * The text that Prometheus reads: version 0.0.4 of its own format, or OpenMetrics 1.0. They differ in how
 * counters are named in comments, in how bounds are written, and in the last line.
 */

export type TextFormat = "prometheus" | "openmetrics";
export type MetricType = "counter" | "gauge" | "histogram";

/** What goes into the header `Content-Type`. */
export const contentTypes: Readonly<Record<TextFormat, string>> = {
  prometheus: "text/plain; version=0.0.4; charset=utf-8",
  openmetrics: "application/openmetrics-text; version=1.0.0; charset=utf-8",
};

/** The format that a scraper's `Accept` asks for. */
export function formatFor(accept: string | undefined): TextFormat {
  return accept?.includes("application/openmetrics-text") ? "openmetrics" : "prometheus";
}

/** `a="x",b="y"` of names and values. */
export function labels(pairs: Readonly<Record<string, string>>): string {
  return Object.entries(pairs)
    .map(([name, value]) => `${name}="${escaped(value)}"`)
    .join(",");
}

/** Collects lines. All samples of a metric are written before the next metric begins. */
export class Exposition {
  private readonly format: TextFormat;
  private readonly lines: string[] = [];

  constructor(format: TextFormat) {
    this.format = format;
  }

  /** Begins a metric. The name of a counter ends in `_total`. */
  metric(name: string, type: MetricType, help: string): void {
    const family =
      type === "counter" && this.format === "openmetrics" ? name.replace(/_total$/, "") : name;
    this.lines.push(`# HELP ${family} ${help}`, `# TYPE ${family} ${type}`);
  }

  sample(name: string, pairs: string, value: number): void {
    this.lines.push(pairs === "" ? `${name} ${value}` : `${name}{${pairs}} ${value}`);
  }

  /** One histogram; `counts` are cumulative and have one more than there are bounds. */
  histogram(
    name: string,
    pairs: string,
    boundsSeconds: readonly number[],
    counts: readonly number[],
    sumSeconds: number,
  ): void {
    const before = pairs === "" ? "" : `${pairs},`;
    boundsSeconds.forEach((bound, index) => {
      this.sample(`${name}_bucket`, `${before}le="${this.bound(bound)}"`, counts[index]!);
    });
    const count = counts[boundsSeconds.length]!;
    this.sample(`${name}_bucket`, `${before}le="+Inf"`, count);
    this.sample(`${name}_sum`, pairs, sumSeconds);
    this.sample(`${name}_count`, pairs, count);
  }

  /** All of it. */
  end(): string {
    if (this.format === "openmetrics") this.lines.push("# EOF");
    return `${this.lines.join("\n")}\n`;
  }

  /** OpenMetrics wants bounds to look like floats, whatever their value. */
  private bound(value: number): string {
    const text = String(value);
    return this.format === "openmetrics" && /^\d+$/.test(text) ? `${text}.0` : text;
  }
}

function escaped(value: string): string {
  return value.replaceAll("\\", "\\\\").replaceAll('"', '\\"').replaceAll("\n", "\\n");
}
