/** Draws a specification of vega-lite as SVG, without a browser. */

/**
 * What is used of the two libraries. Their own typings need the DOM and do not hold under `exactOptionalPropertyTypes`.
 */
interface VegaLite {
  compile(spec: object, options: { logger: object }): { readonly spec: object };
}

interface Vega {
  logger(level: number): object;
  parse(spec: object): object;
  View: new (runtime: object, options: { renderer: "none" }) => VegaView;
  /** Names of clips and gradients are counted; this begins again, so that equal input gives equal output. */
  resetSVGDefIds(): void;
}

interface VegaView {
  toSVG(): Promise<string>;
  finalize(): unknown;
}

/** Warnings are about choices that were made on purpose. */
const errorLevel = 1;
const vegaName: string = "vega";
const vegaLiteName: string = "vega-lite";

/** The picture as text. The libraries are loaded with the first picture: that takes a second. */
export async function drawSvg(spec: object): Promise<string> {
  const { compile } = (await import(vegaLiteName)) as VegaLite;
  const { logger, parse, View, resetSVGDefIds } = (await import(vegaName)) as Vega;
  resetSVGDefIds();
  const view = new View(parse(compile(spec, { logger: logger(errorLevel) }).spec), {
    renderer: "none",
  });
  try {
    return `${await view.toSVG()}\n`;
  } finally {
    view.finalize();
  }
}
