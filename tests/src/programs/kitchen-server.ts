/**
 * Serves the kitchen: `kitchen-server.js NAME [--view] [--threads N] [--grace MS]`. Prints `serving` once it does
 * (each thread), and what happens to waiting calls. Obeys lines: `release KEY`, `close` (servers, then the
 * connections; the process ends by itself), and SIGTERM, which is `close`.
 */
import { createInterface, type Interface } from "node:readline";
import { setTimeout } from "node:timers/promises";
import { parseArgs } from "node:util";
import { isMainThread, parentPort, threadId, Worker } from "node:worker_threads";
import { type HandlerContext, RpcError, type ServiceImpl, type Status, serve } from "@koala/mrpc";
import { type Dish, Kitchen, type WaitRequest } from "../gen/test/v1/kitchen_pb.ts";

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    view: { type: "boolean", default: false },
    threads: { type: "string", default: "0" },
    grace: { type: "string", default: "5000" },
  },
});
const name = positionals[0] ?? "kitchen";
const graceMs = Number(values.grace);
const threadCount = Number(values.threads);
const threads: Worker[] = [];

if (isMainThread && threadCount > 0) startThreads();
else await startServer();

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}

function startThreads(): void {
  for (let index = 0; index < threadCount; index++) {
    const argv = [name, "--grace", values.grace, ...(values.view ? ["--view"] : [])];
    threads.push(new Worker(new URL(import.meta.url), { argv }));
  }
  onCommands((line) => {
    for (const thread of threads) thread.postMessage(line);
  });
}

function onCommands(obey: (line: string) => void): void {
  if (!isMainThread) {
    parentPort?.on("message", obey);
    return;
  }
  const lines = createInterface({ input: process.stdin });
  lines.on("line", (line) => {
    if (line === "close") stopReading(lines);
    obey(line);
  });
  process.once("SIGTERM", () => {
    stopReading(lines);
    obey("close");
  });
}

/** A paused pipe would still keep the process alive. */
function stopReading(lines: Interface): void {
  lines.close();
  process.stdin.destroy();
}

async function startServer(): Promise<void> {
  const held = new Map<string, () => void>();
  const server = await serve({ name }, (router) =>
    router.service(Kitchen, createKitchen(held), { view: values.view }),
  );
  onCommands((line) => {
    const [verb, key = ""] = line.split(" ");
    if (verb === "release") held.get(key)?.();
    if (verb !== "close") return;
    parentPort?.close();
    void server.close({ graceMs }).then(({ cut }) => say(`closed cut=${cut}`));
  });
  say("serving");
}

function createKitchen(held: Map<string, () => void>): ServiceImpl<typeof Kitchen> {
  return {
    echo: (dish: Dish) => dish,
    fail: ({ status, message, details, trailer }) => {
      if (status === 0) throw new TypeError(message);
      const metadata = trailer === "" ? [] : ([["x-why", trailer]] as const);
      throw new RpcError(status as Status, message, { details: details.slice(), metadata });
    },
    wait: (request, context) => wait(held, request, context),
    who: () => ({ pid: process.pid, thread: threadId }),
    context: (_request, context) => {
      context.responseMetadata = context.metadata;
      const { service, method, timeoutMs, metadata } = context;
      return {
        service,
        method,
        hasTimeout: timeoutMs !== undefined,
        timeoutMs: timeoutMs ?? 0,
        entryCount: metadata.length,
      };
    },
    make: ({ dataBytes, textLength, broken }) => {
      if (broken) return { numbers: ["many" as unknown as number] };
      return { data: new Uint8Array(dataBytes).fill(7), text: "é".repeat(textLength) };
    },
  };
}

async function wait(
  held: Map<string, () => void>,
  { key, ms, heed }: WaitRequest,
  { signal }: HandlerContext,
): Promise<{ text: string }> {
  const onAbort = (): void => {
    const { status, message } = signal.reason;
    say(`aborted ${key} ${status} ${message}`);
  };
  signal.addEventListener("abort", onAbort);
  say(`began ${key}`);
  const released = new Promise<void>((resolve) => held.set(key, resolve));
  const ends: Promise<unknown>[] = [ms === 0 ? released : setTimeout(ms)];
  if (heed) ends.push(new Promise((resolve) => signal.addEventListener("abort", resolve)));
  await Promise.race(ends);
  held.delete(key);
  signal.removeEventListener("abort", onAbort);
  say(`ended ${key}`);
  return { text: `waited ${key}` };
}
