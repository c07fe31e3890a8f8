/** A line of results: one system in one case. */
import type { LoadCase } from "../cases/case.ts";
import type { FiguresReply, RoundReply } from "../load/load-command.ts";
import { median, ratio, sum } from "./statistics.ts";

/** What is printed; null where a figure does not exist. Later versions may add fields, not change these. */
export interface Result {
  readonly case: string;
  readonly system: string;
  /** Latencies that p50 and p99 are taken from. */
  readonly samples: number;
  readonly p50Us: number | null;
  readonly p99Us: number | null;
  /** The median of the rounds. */
  readonly callsPerSecond: number | null;
  /** Payload in the direction that carries it. */
  readonly bytesPerSecond: number | null;
  /** Processor time of what stands between the apps, in all rounds together. */
  readonly daemonCpuSeconds: number | null;
  readonly clientCpuSeconds: number | null;
  readonly serverCpuSeconds: number | null;
  /** Of one processor, while other systems had their turns: what it costs to have daemons and no calls. */
  readonly daemonIdleCpuShare: number | null;
  /** Calls per second of the app that was sending meanwhile. */
  readonly hogCallsPerSecond: number | null;
  readonly minUs: number | null;
  readonly rounds: number;
  readonly measuredSeconds: number;
  /** Figures of each round, in order. */
  readonly roundP50Us: readonly (number | null)[];
  readonly roundCallsPerSecond: readonly number[];
  /**
   * Against grpc-js and against the floor of the system, in the same run: of p50 in `latency` (smaller is
   * better), of calls per second elsewhere (larger is better).
   */
  readonly ratioToGrpcJs: number | null;
  readonly ratioToFloor: number | null;
  /** The same against the system without policies. */
  readonly ratioToPlain: number | null;
  /** Of p99 against the same. */
  readonly p99RatioToPlain: number | null;
  /** Calls per second against the rate that a policy is to hold. */
  readonly ratioToTarget: number | null;
  /** In the case `layout`: of p50 against protobuf-es with the same message. */
  readonly ratioToProtobufEs: number | null;
  /**
   * In the case `upgrade`, whose samples are the longest gaps between two replies around a change: the
   * median of how long calls stood still as the daemon says, calls that failed, and calls in each hundredth of a
   * second of the last change, which begins in the middle.
   */
  readonly pauseUs?: number | null;
  readonly failedCalls?: number;
  readonly callsPer10Ms?: readonly number[];
  /** In the case `memory`. */
  readonly memory?: MemoryFigures;
}

/**
 * What connections cost. "Each" is the difference to the figures before, divided by the connections that have
 * come since, or by those that have made a call; null without any.
 */
export interface MemoryFigures {
  readonly connections: number;
  readonly daemonRssBytes: number;
  readonly daemonPssBytes: number;
  readonly daemonBytesEach: number | null;
  readonly appBytesEach: number | null;
  /** Of the whole machine, so only as good as the machine is quiet. */
  readonly kernelBytesEach: number | null;
  /** Of the daemon, as the next ones. */
  readonly descriptors: number;
  readonly descriptorsEach: number | null;
  readonly mappings: number;
  readonly mappingsEach: number | null;
  /** From one connection to the next, while few are made at a time. */
  readonly attachMsEach: number | null;
}

/** A round with the processor time that it took. */
export interface MeasuredRound extends RoundReply {
  readonly daemonCpuSeconds: number | null;
  readonly clientCpuSeconds: number | null;
  readonly serverCpuSeconds: number | null;
  /** Of the app that was sending meanwhile; null without one. */
  readonly hogCallsPerSecond: number | null;
}

/** Puts the rounds of one system together. */
export function resultOf(
  loadCase: LoadCase,
  system: string,
  rounds: readonly MeasuredRound[],
  figures: FiguresReply,
): Result {
  const rates = rounds.map(({ calls, seconds }) => calls / seconds);
  const callsPerSecond = median(rates);
  return {
    case: loadCase.name,
    system,
    samples: figures.samples,
    p50Us: rounded(figures.p50Us),
    p99Us: rounded(figures.p99Us),
    callsPerSecond: rounded(callsPerSecond),
    bytesPerSecond: callsPerSecond === null ? null : Math.round(callsPerSecond * loadCase.bytes),
    daemonCpuSeconds: sum(rounds.map((round) => round.daemonCpuSeconds)),
    clientCpuSeconds: sum(rounds.map((round) => round.clientCpuSeconds)),
    serverCpuSeconds: sum(rounds.map((round) => round.serverCpuSeconds)),
    daemonIdleCpuShare: null,
    hogCallsPerSecond: median(
      rounds.flatMap(({ hogCallsPerSecond: hog }) => (hog === null ? [] : [Math.round(hog)])),
    ),
    minUs: rounded(figures.minUs),
    rounds: rounds.length,
    measuredSeconds: rounds.reduce((total, { seconds }) => total + seconds, 0),
    roundP50Us: rounds.map(({ p50Us }) => rounded(p50Us)),
    roundCallsPerSecond: rates.map((rate) => Math.round(rate)),
    ratioToGrpcJs: null,
    ratioToFloor: null,
    ratioToPlain: null,
    p99RatioToPlain: null,
    ratioToTarget: null,
    ratioToProtobufEs: null,
  };
}

/** How a system stands to another one in what the case compares. */
export function compare(
  comparedBy: LoadCase["comparedBy"],
  result: Result,
  other: Result | undefined,
): number | null {
  if (other === undefined || other === result) return null;
  return comparedBy === "latency"
    ? ratio(result.p50Us, other.p50Us)
    : ratio(result.callsPerSecond, other.callsPerSecond);
}

/**
 * The same round by round, of which the median: what a machine does that is faster in one minute than in the
 * next hits two rounds that follow each other alike.
 */
export function compareRounds(
  comparedBy: LoadCase["comparedBy"],
  result: Result,
  other: Result | undefined,
): number | null {
  if (other === undefined) return null;
  const figures = comparedBy === "latency" ? "roundP50Us" : "roundCallsPerSecond";
  const ratios = result[figures].flatMap((figure, round) => {
    const found = ratio(figure, other[figures][round] ?? null);
    return found === null ? [] : [found];
  });
  return median(ratios);
}

/** A hundredth of a microsecond, or of a call, is noise. */
function rounded(value: number | null): number | null {
  return value === null ? null : Math.round(value * 100) / 100;
}
