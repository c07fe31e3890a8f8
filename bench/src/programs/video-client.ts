/**
 * A camera: sends frames on one stream at a steady pace, which come back on it, and says how long each took. A
 * frame is due at its time, whatever became of those before it.
 */
import { createInterface } from "node:readline";
import { setTimeout } from "node:timers/promises";
import { connect } from "@koala/mrpc";
import { Echo } from "../gen/bench/v1/bench_pb.ts";
import { endLine } from "../load/load-command.ts";
import { say } from "../load/obey-commands.ts";
import { checkReply } from "../load/payload.ts";
import type { VideoCommand, VideoFigures } from "../load/video.ts";

const mesh = await connect({ name: process.env["KOALA_BENCH_APP"] ?? "camera" });
const echo = mesh.client(Echo, "bench");

async function send({ framesPerSecond, bytes, seconds }: VideoCommand): Promise<VideoFigures> {
  const frames = Math.max(1, Math.round(framesPerSecond * seconds));
  const intervalMs = 1000 / framesPerSecond;
  const start = performance.now();
  const dueMs = (frame: number) => start + frame * intervalMs;
  const payload = new Uint8Array(bytes);
  async function* camera(): AsyncGenerator<{ payload: Uint8Array }> {
    for (let frame = 0; frame < frames; frame++) {
      const waitMs = dueMs(frame) - performance.now();
      if (waitMs > 0) await setTimeout(waitMs);
      yield { payload };
    }
  }
  const frameMs: number[] = [];
  for await (const reply of echo.both(camera())) {
    checkReply(bytes, reply.payload.length);
    frameMs.push(performance.now() - dueMs(frameMs.length));
  }
  return { frameMs, late: frameMs.filter((ms) => ms > intervalMs).length };
}

await echo.echo({ payload: new Uint8Array(1) }, { timeoutMs: 10_000, waitForReady: true });
say({ ready: true });
for await (const line of createInterface({ input: process.stdin })) {
  if (line === endLine) break;
  say(await send(JSON.parse(line) as VideoCommand));
}
process.stdin.destroy();
await mesh.close();
