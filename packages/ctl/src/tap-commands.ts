/** `koalactl tap`: calls as they happen, decoded. */
import { KoalaError } from "@koala/interface";
import type { TapGap, TappedCall } from "@koala/protocol";
import { type Command, Option } from "commander";
import { followAdmin } from "./admin-client.ts";
import { type Context, type ContextOf, parseCount } from "./context.ts";
import { usageError } from "./exit-code.ts";
import { formatGap, formatTapped } from "./tap-view.ts";

interface TapFlags {
  caller?: string;
  target?: string;
  where?: string;
  limit?: number;
  rate?: number;
}

/** How long another daemon may take to be there when the one that was tapped is gone. */
const patienceMs = 5000;
const pauseMs = 100;

/** Adds the command. */
export function addTapCommand(program: Command, contextOf: ContextOf): void {
  program
    .command("tap")
    .description("calls as they happen, with their messages")
    .argument("<method>", "SERVICE or SERVICE/Method; * stands for anything")
    .option("--caller <app>", "only calls of this app; app@host for one of another host")
    .option("--target <name>", "only calls to this mesh name")
    .option("--where <expression>", "only calls that meet a condition, `request.id == 7`")
    .addOption(new Option("-n, --limit <n>", "end after so many calls").argParser(parseCount))
    .addOption(
      new Option(
        "--rate <n>",
        "calls a second that are copied in each runtime (default: 200)",
      ).argParser(parseCount),
    )
    .action(async (method: string, flags: TapFlags) => {
      await runTap(queryOf(method, flags), flags.limit, contextOf());
    });
}

async function runTap(
  query: Record<string, string>,
  limit: number | undefined,
  { prefix, output, interrupted }: Context,
): Promise<void> {
  const signal = interrupted();
  const enough = new AbortController();
  signal.addEventListener("abort", () => enough.abort(), { once: true });
  let shown = 0;
  const take = (line: Record<string, unknown>): void => {
    if (shown === limit) return;
    if (output.format === "json") output.json(line);
    if ("call" in line) {
      shown++;
      const call = line["call"] as TappedCall;
      if (output.format !== "json") {
        for (const text of formatTapped(call, output.paint)) output.line(text);
      }
    } else if ("gap" in line && output.format !== "json") {
      output.note(formatGap(line["gap"] as TapGap));
    }
    if (shown === limit) enough.abort();
  };
  let wasOpen = false;
  let deadline = Number.POSITIVE_INFINITY;
  while (!enough.signal.aborted) {
    try {
      const lines = followAdmin(prefix, "/v1/tap", query, enough.signal, () => {
        output.note(wasOpen ? "another daemon has taken over; the tap goes on" : "tapping");
        wasOpen = true;
        deadline = Number.POSITIVE_INFINITY;
      });
      for await (const line of lines) take(line);
      if (!enough.signal.aborted) output.note("the daemon has ended");
      return;
    } catch (error) {
      if (!wasOpen || !isGone(error)) throw error;
      deadline = Math.min(deadline, performance.now() + patienceMs);
      if (performance.now() + pauseMs > deadline) throw error;
    }
    await new Promise((resolve) => setTimeout(resolve, pauseMs));
  }
}

function isGone(error: unknown): boolean {
  const codes = ["ERR_CTL_CUT", "ERR_CTL_NO_DAEMON", "ERR_CTL_SOCKET"];
  return error instanceof KoalaError && codes.includes(error.code);
}

function queryOf(text: string, { caller, target, where, rate }: TapFlags): Record<string, string> {
  const found = /^\/?([^/\s]+)(?:\/([^/\s]+))?$/.exec(text);
  if (found === null) {
    throw usageError(
      `"${text}": expected SERVICE or SERVICE/Method, geo.v1.Geo/Nearest for instance`,
    );
  }
  const [, service = "", method] = found;
  return {
    service,
    ...(method === undefined ? {} : { method }),
    ...(caller === undefined ? {} : { caller }),
    ...(target === undefined ? {} : { target }),
    ...(where === undefined ? {} : { where }),
    ...(rate === undefined ? {} : { rate: String(rate) }),
  };
}
