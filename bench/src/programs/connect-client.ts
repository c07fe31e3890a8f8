/** Calls bench.v1.Echo with connect-es on command: `connect-client.js koala|URL`. */
import { createClient, type Transport } from "@connectrpc/connect";
import { createGrpcTransport } from "@connectrpc/connect-node";
import { koalaTransport } from "@koala/connect";
import { Echo } from "../gen/bench/v1/bench_pb.ts";
import { type Call, runCalls } from "../load/call-load.ts";
import type { RunCommand } from "../load/load-command.ts";
import { obeyCommands } from "../load/obey-commands.ts";
import { checkReply, stampEnds } from "../load/payload.ts";

const [, , where = ""] = process.argv;
const nodeOptions = { maxSessionMemory: 1024 };
const overKoala = where === "koala" ? koalaTransport("bench", { waitForReady: true }) : undefined;
const transport: Transport = overKoala ?? createGrpcTransport({ baseUrl: where, nodeOptions });
const client = createClient(Echo, transport);

function callOf({ method, bytes, text = "" }: RunCommand): Call {
  const data = new Uint8Array(bytes);
  if (method === "echo") {
    const request = { payload: data, name: text };
    return async () => checkReply(bytes, (await client.echo(request)).payload.length);
  }
  stampEnds(data);
  return async () => checkReply(bytes, (await client.put({ data })).bytes);
}

await client.echo({ payload: new Uint8Array(1) }, { timeoutMs: 10_000 });
await obeyCommands((command, samples) => runCalls(callOf(command), command, samples));
await overKoala?.close();
// Sessions of HTTP/2 would keep the process alive.
process.exit(0);
