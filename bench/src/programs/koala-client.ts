/**
 * Calls bench.v1.Echo through the daemon of KOALA_PREFIX on command: `koala-client.js [copy]`.
 *
 * Large messages are put into memory of the send heap and read as views, so that no library copies them;
 * with `copy` they come from ordinary memory and handlers get ordinary messages.
 */
import { connect } from "@koala/mrpc";
import { Echo } from "../gen/bench/v1/bench_pb.ts";
import { type Call, runCalls } from "../load/call-load.ts";
import type { RunCommand } from "../load/load-command.ts";
import { obeyCommands } from "../load/obey-commands.ts";
import { checkReply, stampEnds } from "../load/payload.ts";
import { runStream } from "../load/stream-load.ts";
import { koalaStream } from "./koala-streams.ts";

const copies = process.argv[2] === "copy";
const appName = process.env["KOALA_BENCH_APP"];
const mesh = await connect(appName === undefined ? {} : { name: appName });
const plain = mesh.client(Echo, "bench");
const viewed = mesh.client(Echo, "bench-view");
/** The far daemon may hear of the service a moment after the near one is ready. */
const firstCall = { timeoutMs: 10_000, waitForReady: true };

function callOf({ method, bytes, text = "" }: RunCommand): Call {
  const data = new Uint8Array(bytes);
  if (method === "echo") {
    const request = { payload: data, name: text };
    return async () => checkReply(bytes, (await plain.echo(request)).payload.length);
  }
  if (copies) {
    stampEnds(data);
    return async () => checkReply(bytes, (await plain.put({ data })).bytes);
  }
  return async () => {
    const memory = mesh.bytes(bytes);
    stampEnds(memory);
    checkReply(bytes, (await viewed.put({ data: memory })).bytes);
  };
}

await plain.echo({ payload: new Uint8Array(1) }, firstCall);
await viewed.put({ data: Uint8Array.of(0x5a) }, firstCall);
await obeyCommands((command, samples) => {
  const { method, bytes } = command;
  if (method === "echo" || method === "put") return runCalls(callOf(command), command, samples);
  return runStream(koalaStream(plain, method, bytes), command);
});
await mesh.close();
