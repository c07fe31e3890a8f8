/**
 * Calls the kitchen as its lines of JSON say, each answered by a line of JSON when its call has ended:
 *
 * ```
 * {"id":1,"method":"echo","request":{…},"options":{"timeoutMs":5}}  →  {"id":1,"reply":{…}} or {"id":1,"error":{…}}
 * {"id":2,"load":500}    500 calls at once in each thread            →  {"id":2,"pids":{"4711":500},"errors":[]}
 * {"close":true}         the process then ends by itself             →  closed
 * ```
 *
 * Arguments: `kitchen-client.js NAME [--threads N] [--wait MS]`. Prints `connected` (each thread).
 */
import { createInterface, type Interface } from "node:readline";
import { parseArgs } from "node:util";
import { isMainThread, parentPort, Worker } from "node:worker_threads";
import { type DescMethodUnary, fromJson, type JsonValue, toJson } from "@bufbuild/protobuf";
import { messageOf } from "@koala/interface";
import { type CallOptions, type Client, connect, type Mesh, RpcError } from "@koala/mrpc";
import { Kitchen } from "../gen/test/v1/kitchen_pb.ts";

/** A line of input. */
export interface ClientCommand {
  id?: number;
  method?: keyof Client<typeof Kitchen>;
  request?: JsonValue;
  options?: Pick<CallOptions, "timeoutMs" | "waitForReady" | "metadata">;
  load?: number;
  close?: boolean;
}

/** How an error looks in a line of output. */
export interface ClientError {
  code: string;
  message: string;
  status: string;
  origin: string;
}

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    threads: { type: "string", default: "0" },
    wait: { type: "string", default: "5000" },
  },
});
const target = positionals[0] ?? "kitchen";
const threadCount = Number(values.threads);

if (isMainThread && threadCount > 0) {
  const argv = [target, "--wait", values.wait];
  const threads = Array.from({ length: threadCount }, () => {
    return new Worker(new URL(import.meta.url), { argv });
  });
  onCommands((command) => {
    for (const thread of threads) thread.postMessage(command);
  });
} else {
  await run();
}

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}

function onCommands(obey: (command: ClientCommand) => void): void {
  if (!isMainThread) {
    parentPort?.on("message", obey);
    return;
  }
  const lines = createInterface({ input: process.stdin });
  lines.on("line", (line) => {
    const command: ClientCommand = JSON.parse(line);
    if (command.close === true) stopReading(lines);
    obey(command);
  });
}

/** A paused pipe would still keep the process alive. */
function stopReading(lines: Interface): void {
  lines.close();
  process.stdin.destroy();
}

async function run(): Promise<void> {
  let mesh: Mesh;
  try {
    mesh = await connect({ waitMs: Number(values.wait) });
  } catch (error) {
    say(`failed ${JSON.stringify(describe(error))}`);
    process.exitCode = 1;
    return;
  }
  const kitchen = mesh.client(Kitchen, target);
  onCommands((command) => {
    if (command.close === true) {
      parentPort?.close();
      void mesh.close().then(() => say("closed"));
    } else if (command.load !== undefined) void load(kitchen, command.id ?? 0, command.load);
    else void call(kitchen, command);
  });
  say("connected");
}

async function call(kitchen: Client<typeof Kitchen>, command: ClientCommand): Promise<void> {
  const { id, method = "echo", request = {}, options = {} } = command;
  const { input, output } = Kitchen.method[method] as DescMethodUnary;
  const send = kitchen[method] as (message: unknown, options: CallOptions) => Promise<never>;
  try {
    const reply = await send(fromJson(input, request), options);
    say(JSON.stringify({ id, reply: toJson(output, reply) }));
  } catch (error) {
    say(JSON.stringify({ id, error: describe(error) }));
  }
}

async function load(kitchen: Client<typeof Kitchen>, id: number, count: number): Promise<void> {
  const pids: Record<string, number> = {};
  const errors: ClientError[] = [];
  const one = async (): Promise<void> => {
    try {
      const { pid, thread } = await kitchen.who({});
      const key = `${pid}/${thread}`;
      pids[key] = (pids[key] ?? 0) + 1;
    } catch (error) {
      errors.push(describe(error));
    }
  };
  await Promise.all(Array.from({ length: count }, one));
  say(JSON.stringify({ id, pids, errors }));
}

function describe(error: unknown): ClientError {
  const { code = "" } = error as { code?: string };
  const isRpc = error instanceof RpcError;
  const message = messageOf(error);
  return {
    code,
    message,
    status: isRpc ? error.statusName : "",
    origin: isRpc ? error.origin : "",
  };
}
