/** The case without processes: how long a message takes to be written and read, or encoded and decoded. */
import { toBinary } from "@bufbuild/protobuf";
import { FileDescriptorSetSchema } from "@bufbuild/protobuf/wkt";
import { type LayoutCase, layoutCases } from "@koala/schema";
import protobufjs from "protobufjs";
import "protobufjs/ext/descriptor.js";
import type { Result } from "../figures/result.ts";
import { Samples } from "../figures/samples.ts";
import { median, ratio } from "../figures/statistics.ts";
import { layoutCaseName } from "./case.ts";

/** How long is measured. */
export interface LayoutPlan {
  readonly seconds: number;
  readonly rounds: number;
}

/** Writes and reads between two looks at the clock: one alone is too short to be timed. */
const batch = 50;
/** Before the first round that counts, for the compiler. */
const warmUpMsMax = 500;
/** Shorter than other cases: no other process disturbs it. */
const shareOfSeconds = 0.2;

interface Subject {
  readonly name: string;
  readonly protobufBytes: number;
  readonly work: () => unknown;
  readonly samples: Samples;
  readonly roundP50Us: (number | null)[];
}

const kinds = [
  "koala",
  "protobuf-es",
  "koala-validate",
  "koala-view",
  "koala-encode",
  "protobuf-es-encode",
  "protobufjs-encode",
  "koala-decode",
  "protobuf-es-decode",
  "protobufjs-decode",
] as const;
type Kind = (typeof kinds)[number];
const messages = ["hotel", "flat"] as const;

/** `koala-hotel` and so on: what works on the message, and which message. */
export const layoutSystemNames: readonly string[] = messages.flatMap((message) =>
  kinds.map((kind) => `${kind}-${message}`),
);

/** Measures all of them in turns. */
export function measureLayout({ seconds, rounds }: LayoutPlan): Result[] {
  const subjects = layoutCases().flatMap(subjectsOf);
  const roundMs = (seconds * shareOfSeconds * 1000) / rounds;
  const warmUpMs = Math.min(warmUpMsMax, roundMs * rounds);
  for (const { work, samples } of subjects) {
    runRound(work, samples, warmUpMs);
    samples.keep = true;
  }
  for (let round = 0; round < rounds; round++) {
    for (const { work, samples, roundP50Us } of subjects) {
      runRound(work, samples, roundMs);
      roundP50Us.push(samples.endRound());
    }
  }
  const p50s = new Map(subjects.map(({ name, samples }) => [name, samples.figures().p50Us]));
  return subjects.map((subject) => layoutResult(subject, (rounds * roundMs) / 1000, p50s));
}

function subjectsOf(layout: LayoutCase): Subject[] {
  const { name, protobufBytes, desc, encoded } = layout;
  const protobufjs = protobufjsType(desc);
  const decoded = protobufjs.decode(encoded);
  const works: Readonly<Record<Kind, () => unknown>> = {
    koala: layout.koala,
    "protobuf-es": layout.protobufEs,
    "koala-validate": layout.validate,
    "koala-view": layout.view,
    "koala-encode": layout.encode,
    "protobuf-es-encode": layout.protobufEsEncode,
    "protobufjs-encode": () => protobufjs.encode(decoded).finish(),
    "koala-decode": layout.decode,
    "protobuf-es-decode": layout.protobufEsDecode,
    "protobufjs-decode": () => protobufjs.decode(encoded),
  };
  return kinds.map((kind) => ({
    name: `${kind}-${name}`,
    protobufBytes,
    work: works[kind],
    samples: new Samples(),
    roundP50Us: [],
  }));
}

/** The type as protobufjs has it, with the functions that it generates. */
function protobufjsType({ typeName, file }: LayoutCase["desc"]): protobufjs.Type {
  const set = { $typeName: "google.protobuf.FileDescriptorSet" as const, file: [file.proto] };
  const root = protobufjs.Root.fromDescriptor(toBinary(FileDescriptorSetSchema, set));
  return root.lookupType(typeName);
}

function runRound(work: () => unknown, samples: Samples, durationMs: number): void {
  const end = performance.now() + durationMs;
  for (let before = performance.now(); before < end; ) {
    for (let i = 0; i < batch; i++) work();
    const after = performance.now();
    samples.add(((after - before) * 1000) / batch);
    before = after;
  }
}

function layoutResult(
  { name, protobufBytes, samples, roundP50Us }: Subject,
  measuredSeconds: number,
  p50s: ReadonlyMap<string, number | null>,
): Result {
  const figures = samples.figures();
  const message = name.slice(name.lastIndexOf("-") + 1);
  const oneWay = /-(?:encode|decode)-/.exec(name)?.[0] ?? "-";
  const baseline = `protobuf-es${oneWay}${message}`;
  const rates = roundP50Us.map((p50Us) => (p50Us === null ? 0 : 1e6 / p50Us));
  const callsPerSecond = median(rates);
  return {
    case: layoutCaseName,
    system: name,
    ...figures,
    callsPerSecond,
    bytesPerSecond: callsPerSecond === null ? null : Math.round(callsPerSecond * protobufBytes),
    daemonCpuSeconds: null,
    clientCpuSeconds: null,
    serverCpuSeconds: null,
    daemonIdleCpuShare: null,
    rounds: roundP50Us.length,
    measuredSeconds,
    roundP50Us,
    roundCallsPerSecond: rates.map((rate) => Math.round(rate)),
    ratioToGrpcJs: null,
    ratioToFloor: null,
    ratioToPlain: null,
    p99RatioToPlain: null,
    ratioToTarget: null,
    hogCallsPerSecond: null,
    ratioToProtobufEs: name === baseline ? null : ratio(figures.p50Us, p50s.get(baseline) ?? null),
  };
}
