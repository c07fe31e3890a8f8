/** Under which loads the systems are measured: all combinations of the grid, and single points beside it. */
import { KoalaError } from "@koala/interface";
import type { LoadMethod } from "../cases/case.ts";
import type { Experiment } from "../launcher/experiment.ts";
import type { RunCommand } from "../load/load-command.ts";
import type { StartLoad, System } from "../systems/system.ts";

/** One load. */
export interface LoadPoint {
  readonly bytes: number;
  /** Of all clients together; in an open loop, the most that there may be. */
  readonly inFlight: number;
  readonly clients: number;
  /** Calls a second that are offered; 0: a call follows on a reply. */
  readonly rate: number;
}

/** The `[settings]` of the kind. */
export interface LoadSettings {
  readonly method: LoadMethod;
  readonly points: readonly LoadPoint[];
  /** Before the first point each system runs so long, all points together. */
  readonly warmUpSeconds: number;
  /** And so long before each point. */
  readonly settleSeconds: number;
  /** And so long at the beginning of each round: memory and caches were others' meanwhile. */
  readonly leadSeconds: number;
  /** Systems of a quick run; all when empty. */
  readonly quick: readonly string[];
}

/** Enough for small messages. */
export const defaultLeadSeconds = 0.05;
const defaults: LoadPoint = { bytes: 64, inFlight: 1, clients: 1, rate: 0 };
const dimensions = ["bytes", "inFlight", "clients", "rate"] as const;
const known = ["method", "points", "warmUpSeconds", "settleSeconds", "leadSeconds", "quick"];

/** Reads grid and settings; `ERR_EVAL_SETTINGS` for what the kind does not understand. */
export function readLoad({ name, grid, settings }: Experiment): LoadSettings {
  const wrong = (what: string): KoalaError =>
    new KoalaError("ERR_EVAL_SETTINGS", `eval/${name}/experiment.toml: ${what}`);
  for (const key of [...Object.keys(grid)]) {
    if (dimensions.some((dimension) => dimension === key)) continue;
    throw wrong(`the grid of a load has ${dimensions.join(", ")}; found "${key}"`);
  }
  const unknown = Object.keys(settings).find((key) => !known.includes(key));
  if (unknown !== undefined) {
    throw wrong(`settings of a load are ${known.join(", ")}; found "${unknown}"`);
  }
  const { method = "echo", points = [], warmUpSeconds = 3, quick = [] } = settings;
  const { settleSeconds = 0.4, leadSeconds = defaultLeadSeconds } = settings;
  if (method !== "echo" && method !== "put") throw wrong(`settings.method is echo or put`);
  if (typeof warmUpSeconds !== "number") throw wrong("settings.warm_up_seconds is a number");
  if (typeof settleSeconds !== "number") throw wrong("settings.settle_seconds is a number");
  if (typeof leadSeconds !== "number") throw wrong("settings.lead_seconds is a number");
  if (!Array.isArray(quick)) throw wrong("settings.quick is a list of systems");
  if (!Array.isArray(points)) throw wrong("settings.points is a list of tables");
  const all = [
    ...combinations(grid, wrong),
    ...points.map((point) => pointOf(point as Record<string, unknown>, wrong)),
  ];
  const times = { warmUpSeconds, settleSeconds, leadSeconds };
  return { method, points: all, ...times, quick: quick as string[] };
}

/** All combinations, the first dimension slowest; without those where a client would have no call. */
function combinations(
  grid: Experiment["grid"],
  wrong: (what: string) => KoalaError,
): readonly LoadPoint[] {
  let partial: Record<string, string | number>[] = [{}];
  for (const dimension of dimensions) {
    const values = grid[dimension] ?? [defaults[dimension]];
    partial = partial.flatMap((point) => values.map((value) => ({ ...point, [dimension]: value })));
  }
  return partial
    .map((point) => pointOf(point, wrong))
    .filter(({ inFlight, clients }) => inFlight >= clients);
}

function pointOf(
  values: Readonly<Record<string, unknown>>,
  wrong: (what: string) => KoalaError,
): LoadPoint {
  const point: Record<string, number> = { ...defaults };
  for (const [key, value] of Object.entries(values)) {
    if (!(key in defaults)) throw wrong(`a point has ${dimensions.join(", ")}; found "${key}"`);
    const least = key === "rate" ? 0 : 1;
    if (typeof value !== "number" || value < least || !Number.isInteger(value)) {
      throw wrong(`${key} is ${JSON.stringify(value)}, expected a whole number from ${least}`);
    }
    point[key] = value;
  }
  return point as unknown as LoadPoint;
}

/** What a system is to be ready for: the largest of everything. */
export function largestLoad(method: LoadMethod, points: readonly LoadPoint[]): StartLoad {
  const most = (key: keyof LoadPoint): number => Math.max(...points.map((point) => point[key]));
  return {
    method,
    bytes: most("bytes"),
    inFlight: most("inFlight"),
    clients: most("clients"),
  };
}

/** Why a system can't take a load, as a sentence; undefined when it can. */
export function refusal(system: System, method: LoadMethod, point: LoadPoint): string | undefined {
  const { methods, bytesMax, clientsMax, openLoop = true } = system.limits ?? {};
  if (methods !== undefined && !methods.includes(method)) {
    return `${system.name} does not know the method ${method}`;
  }
  if (bytesMax !== undefined && point.bytes > bytesMax) {
    return `${system.name} carries no more than ${bytesMax} bytes`;
  }
  if (clientsMax !== undefined && point.clients > clientsMax) {
    return `${system.name} has no more than ${clientsMax} client`;
  }
  if (point.rate > 0 && !openLoop) return `${system.name} has no open loop`;
  return undefined;
}

/** The command of one client: its share of the load. */
export function commandOf(
  method: LoadMethod,
  { bytes, inFlight, clients, rate }: LoadPoint,
  client: number,
): Omit<RunCommand, "seconds" | "keep"> {
  const share = Math.floor(inFlight / clients) + Number(client < inFlight % clients);
  return {
    op: "run",
    method,
    bytes,
    inFlight: share,
    ...(rate === 0 ? {} : { rate: rate / clients, seed: client + 1 }),
  };
}
