/** The command line. */
import { KoalaError } from "@koala/interface";
import { type Affinity, affinities } from "./queues/places.ts";
import { suggest } from "./suggestion.ts";

/** What the command line may name. */
export interface Names {
  readonly cases: readonly string[];
  readonly systems: readonly string[];
  /** Names that stand for several systems. */
  readonly groups: Readonly<Record<string, readonly string[]>>;
}

export interface Options {
  readonly cases: readonly string[];
  /** Undefined: all that are measured by default. */
  readonly systems: readonly string[] | undefined;
  readonly json: boolean;
  readonly help: boolean;
  /** Measured seconds of each system in each case. */
  readonly seconds: number;
  /** Turns that this time is divided into. */
  readonly rounds: number;
  readonly quick: boolean;
  /** Of the case `queues`: which processors the two ends of a pair are tied to. */
  readonly affinity: Affinity;
  /** The one system that is run under the profiler. */
  readonly profile: string | undefined;
}

export const usage = `npm run -s bench -- [CASE...] [OPTION...]

Cases (all when none is named): latency rate goodput policy-null policy-null-rate policy-acl
  policy-telemetry policy-rate-limit qos upgrade memory layout queues

  --json             one JSON object per line instead of tables
  --systems A,B      only these systems
  --seconds N        measured seconds of each system in each case (5)
  --rounds N         turns that this time is divided into (5)
  --quick            a fraction of a second each: shows that it works, measures nothing
  --affinity WHICH   in queues, tie the two ends of a pair to one processor (one), two cores (core), two threads
                     of a core (smt), two NUMA nodes (numa), or leave it to the scheduler (none)
  --profile SYSTEM   run one system under the profiler, print where its processes spent their time
  --help             this text
`;

const flags = ["--json", "--quick", "--help"];
const withValue = ["--systems", "--seconds", "--rounds", "--affinity", "--profile"];
const secondsMax = 600;
const roundsMax = 1000;

/** Reads the arguments; `ERR_BENCH_USAGE` for what is not known. */
export function parseOptions(args: readonly string[], names: Names): Options {
  const cases: string[] = [];
  const values = new Map<string, string>();
  for (let i = 0; i < args.length; i++) {
    const arg = args[i]!;
    if (!arg.startsWith("-")) {
      cases.push(known("case", arg, names.cases));
      continue;
    }
    const [name = arg, inline] = arg.split(/=(.*)/s);
    known("option", name, [...flags, ...withValue]);
    if (flags.includes(name)) {
      if (inline !== undefined) throw misuse(`the option ${name} takes no value`);
      values.set(name, "");
      continue;
    }
    const value = inline ?? args[++i];
    if (value === undefined || value === "") throw misuse(`the option ${name} needs a value`);
    values.set(name, value);
  }
  const quick = values.has("--quick");
  const profile = values.get("--profile");
  if (profile !== undefined && values.has("--systems")) {
    throw misuse("--profile names the one system to run: leave --systems out");
  }
  return {
    cases: cases.length === 0 ? names.cases : names.cases.filter((name) => cases.includes(name)),
    systems: readSystems(values.get("--systems"), names),
    json: values.has("--json"),
    help: values.has("--help"),
    seconds: readNumber("--seconds", values.get("--seconds"), quick ? 0.5 : 5, secondsMax),
    rounds: Math.ceil(readNumber("--rounds", values.get("--rounds"), quick ? 2 : 5, roundsMax)),
    quick,
    affinity: readAffinity(values.get("--affinity")),
    profile: profile === undefined ? undefined : known("system", profile, names.systems),
  };
}

function readSystems(list: string | undefined, { systems, groups }: Names): string[] | undefined {
  if (list === undefined) return undefined;
  const all = [...systems, ...Object.keys(groups)];
  return list.split(",").flatMap((name) => {
    known("system", name, all);
    return groups[name] ?? [name];
  });
}

function readAffinity(value: string = "none"): Affinity {
  known("affinity", value, affinities);
  return affinities.find((affinity) => affinity === value)!;
}

function readNumber(
  name: string,
  value: string | undefined,
  otherwise: number,
  max: number,
): number {
  if (value === undefined) return otherwise;
  const number = Number(value);
  if (number > 0 && number <= max) return number;
  throw misuse(`${name} is "${value}", expected a number above 0, up to ${max}`);
}

function known(kind: string, name: string, names: readonly string[]): string {
  if (names.includes(name)) return name;
  const near = suggest(name, names);
  const hint = near === undefined ? "" : ` Did you mean "${near}"?`;
  throw misuse(`unknown ${kind} "${name}".${hint} There are: ${names.join(", ")}`);
}

function misuse(message: string): KoalaError {
  return new KoalaError("ERR_BENCH_USAGE", message);
}
