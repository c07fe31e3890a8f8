/** `GET /v1/calls` and `GET /v1/top`: recorded calls, and counters. */
import { monotonicMicros } from "@koala/native";
import type { CallsAnswer, RuntimesAnswer, TopAnswer } from "@koala/protocol";
import { AdminRefused, type AdminRegistry } from "../control/admin-registry.ts";
import { callReportOf, newestFirst } from "./call-report.ts";
import type { RuntimeAsker } from "./runtime-asker.ts";

const callsMax = 1000;

/** Adds the routes. */
export function addObserveRoutes(
  registry: AdminRegistry,
  asker: RuntimeAsker,
  runtimes: () => Promise<RuntimesAnswer>,
): void {
  registry.add({
    method: "GET",
    path: "/v1/calls",
    query: ["id", "last", "failed"],
    handle: ({ query }) => callsAnswer(asker, query),
  });
  registry.add({
    method: "GET",
    path: "/v1/top",
    handle: () => topAnswer(asker, runtimes),
  });
}

async function callsAnswer(asker: RuntimeAsker, query: URLSearchParams): Promise<CallsAnswer> {
  const id = query.get("id");
  const last = wholeOf(query, "last", callsMax, 20);
  const isFailed = query.get("failed") === "1";
  const step =
    id === null ? ({ name: "newest", last, isFailed } as const) : ({ name: "find", id } as const);
  const answers = await asker.ask(step);
  const calls = answers.flatMap((answer) =>
    answer.calls.map((record) => callReportOf(record, answer.runtime)),
  );
  return { calls: newestFirst(calls, id === null ? last : callsMax) };
}

async function topAnswer(
  asker: RuntimeAsker,
  runtimes: () => Promise<RuntimesAnswer>,
): Promise<TopAnswer> {
  const [answers, report] = await Promise.all([asker.ask({ name: "traffic" }), runtimes()]);
  return {
    atMs: monotonicMicros() / 1000,
    apps: answers.flatMap(({ apps }) => apps),
    traffic: answers.flatMap(({ traffic }) => traffic),
    runtimes: report.runtimes.map(({ index, load, cpuSeconds, openCalls, apps }) => {
      return { index, load, cpuSeconds, openCalls, apps };
    }),
  };
}

/** A whole number from 1 to `max` in a query. */
export function wholeOf(
  query: URLSearchParams,
  key: string,
  max: number,
  otherwise: number,
): number {
  const text = query.get(key);
  if (text === null) return otherwise;
  const value = /^\d{1,9}$/.test(text) ? Number(text) : 0;
  if (value >= 1 && value <= max) return value;
  const message = `${key}=${text}: expected a whole number from 1 to ${max}`;
  throw new AdminRefused(400, "ERR_ADMIN_QUERY", message);
}
