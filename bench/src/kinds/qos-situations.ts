/**
 * Two apps that have to be quick, beside one that moves bulk: one makes small calls, the other sends frames as a
 * camera does. Alone, beside the bulk, and beside it with the policy `qos`; in turns on the same daemon.
 */
import { setTimeout } from "node:timers/promises";
import { postAdmin } from "@koala/ctl";
import type { PolicySpec } from "@koala/protocol";
import { quickWarmUp, warmUp } from "../cases/warm-up.ts";
import { median } from "../figures/statistics.ts";
import type { ExperimentContext } from "../launcher/kind.ts";
import type { VideoCommand, VideoFigures } from "../load/video.ts";
import type { Program } from "../processes/program.ts";
import { startApps, startHost } from "../systems/koala.ts";

const situations = ["alone", "beside-bulk", "beside-bulk-qos"] as const;
const smallCall = { op: "run", method: "echo", bytes: 64, inFlight: 1 } as const;
const bulkCall = { op: "run", method: "put", bytes: 1 << 20, inFlight: 32, keep: false } as const;
const video = { op: "video", framesPerSecond: 30, bytes: 50_000 } as const;
/** For how long the bulk runs before it counts, and after. */
const leadSeconds = 0.2;

interface Apps {
  readonly small: Program;
  readonly camera: Program;
  readonly bulk: Program;
}

interface Measured {
  readonly frameMs: number[];
  late: number;
  readonly p50Us: number[];
  readonly bulkPerSecond: number[];
}

/** Measures, on a stage of its own. */
export async function measureQos(
  context: ExperimentContext,
  policy: PolicySpec,
  rounds: number,
): Promise<void> {
  const { quick, experiment, signal, progress, emit } = context;
  const stage = context.stage();
  progress("qos: starting a daemon");
  const host = await startHost(stage, "qos daemon", []);
  const env = (app: string) => ({ KOALA_PREFIX: host.prefix, KOALA_BENCH_APP: app });
  const bulk = stage.start("koala-client.js", { name: "qos bulk", env: env("bulk") });
  const camera = stage.start("video-client.js", { name: "qos camera", env: env("camera") });
  // They wait for the server by themselves.
  const [{ client: small }] = await Promise.all([
    startApps(stage, "qos", host, host, []),
    bulk.ready(),
    camera.ready(),
  ]);
  const apps: Apps = { small, camera, bulk };
  await warmUp(small, smallCall, quickWarmUp);
  await warmUp(bulk, bulkCall, quickWarmUp);
  const seconds = quick ? 0.2 : Math.max(1, experiment.roundSeconds);
  const measured = situations.map(
    (): Measured => ({ frameMs: [], late: 0, p50Us: [], bulkPerSecond: [] }),
  );
  for (let round = 1; round <= rounds; round++) {
    progress(`qos: round ${round} of ${rounds}`);
    for (const [i, situation] of situations.entries()) {
      signal.throwIfAborted();
      const hasPolicy = situation === "beside-bulk-qos";
      if (hasPolicy) await postAdmin(host.prefix, "/v1/policies/attach", { policy });
      await measureSituation(apps, situation, seconds, measured[i]!);
      if (hasPolicy) await postAdmin(host.prefix, "/v1/policies/detach", { name: policy.name! });
    }
  }
  for (const [i, situation] of situations.entries()) {
    const { frameMs, late, p50Us, bulkPerSecond } = measured[i]!;
    const { samples, p50Us: smallP50Us, p99Us } = await small.figures(situation);
    const ascending = frameMs.toSorted((a, b) => a - b);
    const frameAt = (share: number) =>
      ascending.length === 0 ? null : ascending[Math.ceil(ascending.length * share) - 1]! * 1000;
    emit({
      system: "koala-local",
      parameters: { load: "qos", situation },
      figures: {
        samples,
        p50Us: smallP50Us,
        p99Us,
        frameP50Us: frameAt(0.5),
        frameP99Us: frameAt(0.99),
        frames: ascending.length,
        lateFrames: late,
        bulkBytesPerSecond: bulkPerSecond.length === 0 ? null : median(bulkPerSecond),
      },
      rounds: { p50Us },
    });
  }
}

async function measureSituation(
  { small, camera, bulk }: Apps,
  situation: string,
  seconds: number,
  into: Measured,
): Promise<void> {
  const moving =
    situation === "alone"
      ? undefined
      : bulk.run({ ...bulkCall, seconds: seconds + 2 * leadSeconds });
  if (moving !== undefined) await setTimeout(leadSeconds * 1000);
  const command: VideoCommand = { ...video, seconds };
  const [calls, frames] = await Promise.all([
    small.run({ ...smallCall, seconds, keep: true, series: situation }),
    camera.ask(command, seconds * 1000) as Promise<VideoFigures>,
  ]);
  const moved = await moving;
  into.p50Us.push(calls.p50Us ?? Number.NaN);
  into.frameMs.push(...frames.frameMs);
  into.late += frames.late;
  if (moved !== undefined) into.bulkPerSecond.push((moved.calls * bulkCall.bytes) / moved.seconds);
}
