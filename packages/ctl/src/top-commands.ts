/** `koalactl top`: what apps and services do now, once or again and again. */
import type { TopAnswer } from "@koala/protocol";
import { type Command, InvalidArgumentError, Option } from "commander";
import { askAdmin } from "./admin-client.ts";
import type { Context, ContextOf } from "./context.ts";
import { parseDuration } from "./quantity.ts";
import { ratesBetween } from "./top-rates.ts";
import { formatTop } from "./top-view.ts";

interface TopFlags {
  once?: boolean;
  interval: number;
}

/** Rows of a table when nobody says how high the screen is. */
const rowsWithoutScreen = 1000;
/** Lines of a screen that are not rows. */
const linesAround = 10;

const home = "\u001b[H";
const clearLine = "\u001b[K";
const clearBelow = "\u001b[J";
const hideCursor = "\u001b[?25l";
const showCursor = "\u001b[?25h";
const otherScreen = "\u001b[?1049h";
const ownScreen = "\u001b[?1049l";
/** Lines that are too long end at the edge. */
const cutLines = "\u001b[?7l";
const wrapLines = "\u001b[?7h";

/** Adds the command. */
export function addTopCommand(program: Command, contextOf: ContextOf): void {
  program
    .command("top")
    .description("what apps and services do: calls, times, errors, bytes, memory")
    .option("--once", "print one table and end")
    .addOption(
      new Option("--interval <time>", "time between two looks")
        .argParser(parseInterval)
        .default(1000, "1s"),
    )
    .action(async ({ once = false, interval }: TopFlags) => {
      const context = contextOf();
      if (once || context.output.screen === undefined) await printOnce(context, interval, once);
      else await refresh(context, interval);
    });
}

/** Without a terminal, table follows table until Ctrl-C. */
async function printOnce(context: Context, interval: number, isOnce: boolean): Promise<void> {
  const { prefix, output, interrupted } = context;
  const signal = isOnce ? undefined : interrupted();
  let before = await askAdmin(prefix, "/v1/top");
  do {
    await pause(interval, signal);
    if (signal?.aborted === true) return;
    const after = await askAdmin(prefix, "/v1/top");
    const rates = ratesBetween(before, after);
    if (output.format === "json") output.json(rates);
    else for (const line of formatTop(rates, output.paint, rowsWithoutScreen)) output.line(line);
    before = after;
    if (!isOnce && output.format !== "json") output.line("");
  } while (!isOnce);
}

/** On a terminal, in a screen of its own. */
async function refresh({ prefix, output, interrupted }: Context, interval: number): Promise<void> {
  const signal = interrupted();
  const screen = output.screen!;
  let before: TopAnswer = await askAdmin(prefix, "/v1/top");
  screen.write(`${otherScreen}${hideCursor}${cutLines}`);
  try {
    let waitMs = Math.min(interval, 250);
    while (!signal.aborted) {
      await pause(waitMs, signal);
      if (signal.aborted) break;
      waitMs = interval;
      const after = await askAdmin(prefix, "/v1/top");
      const rows = Math.max(1, Math.floor((screen.rows() - linesAround) / 2));
      const lines = formatTop(ratesBetween(before, after), output.paint, rows);
      const title = output.paint("title", `koalactl top  ${prefix}  ${new Date().toISOString()}`);
      const text = [title, "", ...lines].slice(0, screen.rows() - 1);
      screen.write(`${home}${text.map((line) => `${line}${clearLine}\n`).join("")}${clearBelow}`);
      before = after;
    }
  } finally {
    screen.write(`${wrapLines}${showCursor}${ownScreen}`);
  }
}

function pause(ms: number, signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      clearTimeout(timer);
      signal?.removeEventListener("abort", done);
      resolve();
    };
    const timer = setTimeout(done, ms);
    signal?.addEventListener("abort", done);
    if (signal?.aborted === true) done();
  });
}

function parseInterval(text: string): number {
  const ms = parseDuration(text);
  if (ms !== undefined && ms >= 100) return ms;
  throw new InvalidArgumentError("Expected a time with a unit, 100ms or more: 500ms, 1s, 5s.");
}
