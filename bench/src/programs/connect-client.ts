/** Calls bench.v1.Echo with connect-es on command: `connect-client.js koala|URL`. */
import { createClient, type Transport } from "@connectrpc/connect";
import { createGrpcTransport } from "@connectrpc/connect-node";
import { koalaTransport } from "@koala/connect";
import { runCalls } from "../call-load.ts";
import { Echo } from "../gen/bench/v1/bench_pb.ts";
import { obeyCommands } from "../obey-commands.ts";
import { checkReply } from "../payload.ts";

const [, , where = ""] = process.argv;
const overKoala = where === "koala" ? koalaTransport("bench", { waitForReady: true }) : undefined;
const transport: Transport = overKoala ?? createGrpcTransport({ baseUrl: where });
const client = createClient(Echo, transport);

await client.echo({ payload: new Uint8Array(1) }, { timeoutMs: 10_000 });
await obeyCommands((command, samples) => {
  const { bytes } = command;
  const payload = new Uint8Array(bytes);
  const call = async (): Promise<void> =>
    checkReply(bytes, (await client.echo({ payload })).payload.length);
  return runCalls(call, command, samples);
});
await overKoala?.close();
// Sessions of HTTP/2 would keep the process alive.
process.exit(0);
