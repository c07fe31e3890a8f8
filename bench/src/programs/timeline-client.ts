/**
 * Keeps calling bench.v1.Echo through the daemon of KOALA_PREFIX: `timeline-client.js IN_FLIGHT|paced:RATE`;
 * see `watched-calls.ts`.
 */
import { connect } from "@koala/mrpc";
import { Echo } from "../gen/bench/v1/bench_pb.ts";
import { checkReply } from "../load/payload.ts";
import { watchCalls, watchedLoadOf } from "./watched-calls.ts";

const bytes = 32;
const mesh = await connect({ name: "timeline" });
const echo = mesh.client(Echo, "bench");
const request = { payload: new Uint8Array(bytes) };

await echo.echo(request, { timeoutMs: 10_000, waitForReady: true });
await watchCalls(
  async () => checkReply(bytes, (await echo.echo(request)).payload.length),
  watchedLoadOf(process.argv[2]),
);
await mesh.close();
