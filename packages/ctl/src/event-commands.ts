/** `koalactl events`: what has happened in the daemon, and what happens. */
import { type DaemonEvent, type EventTopic, eventTopics } from "@koala/protocol";
import { type Command, InvalidArgumentError, Option } from "commander";
import { askAdmin } from "./admin-client.ts";
import { type Context, type ContextOf, parseCount } from "./context.ts";
import { didYouMean } from "./did-you-mean.ts";
import { followEvents, isEvent } from "./event-follow.ts";
import type { Output } from "./output.ts";
import { printable, type Tone } from "./table.ts";

interface EventFlags {
  follow?: boolean;
  topic?: EventTopic[];
  last?: number;
  since?: number;
}

/** Of the events that were before, `--follow` shows so many. */
const lastWhenFollowing = 10;
const badNames = new Set([
  "closed",
  "refused",
  "down",
  "unreachable",
  "denied",
  "failed",
  "quarantined",
  "crashed",
  "stalled",
  "dropped",
]);
const goodNames = new Set(["attached", "up", "served", "ready"]);

/** Adds the command. */
export function addEventCommand(program: Command, contextOf: ContextOf): void {
  program
    .command("events")
    .description("what has happened in the daemon")
    .option("-f, --follow", "go on with what happens from now on")
    .addOption(
      new Option("-t, --topic <topic,...>", "only these; repeatable").argParser(parseTopics),
    )
    .addOption(
      new Option(
        "-n, --last <n>",
        "how many of those that were (default: all, 10 with --follow)",
      ).argParser(parseCount),
    )
    .addOption(new Option("--since <seq>", "only those behind this number").argParser(parseCount))
    .action(async (flags: EventFlags) => {
      const context = contextOf();
      if (flags.follow === true) await follow(flags, context);
      else await list(flags, context);
    });
}

async function list(flags: EventFlags, { prefix, output }: Context): Promise<void> {
  const answer = await askAdmin(prefix, "/v1/events", queryOf(flags));
  if (output.format === "json") {
    output.json(answer);
    return;
  }
  for (const event of answer.events) printEvent(event, output);
  if (answer.events.length === 0) output.note("nothing has happened");
}

async function follow(flags: EventFlags, { prefix, output }: Context): Promise<void> {
  const last = flags.last ?? (flags.since === undefined ? lastWhenFollowing : undefined);
  const query = queryOf({ ...flags, ...(last === undefined ? {} : { last }) });
  const onRestart = (): void => output.note("the daemon has been started again");
  for await (const line of followEvents({ prefix, query, onRestart })) {
    if (output.format === "json") output.json(line);
    else if (isEvent(line)) printEvent(line, output);
    else output.note(`${line.dropped} events are missing: this reader was too slow`);
  }
  output.note("the daemon has ended");
}

function queryOf({ topic, last, since }: EventFlags): Record<string, string> {
  return {
    ...(topic === undefined ? {} : { topic: topic.join(",") }),
    ...(last === undefined ? {} : { last: String(last) }),
    ...(since === undefined ? {} : { since: String(since) }),
  };
}

/** `2026-01-01T00:00:00.000Z  link up  peer=host-b address=10.0.0.2:4500`. */
function printEvent({ time, topic, name, fields }: DaemonEvent, output: Output): void {
  const tone: Tone = badNames.has(name) ? "bad" : goodNames.has(name) ? "good" : "plain";
  const facts = Object.entries(fields).map(([key, value]) => `${key}=${quoted(value)}`);
  const head = output.paint(tone, printable(`${topic} ${name}`.padEnd(22)));
  const line = `${output.paint("faint", printable(time))}  ${head}  ${printable(facts.join(" "))}`;
  output.line(line.trimEnd());
}

function quoted(value: string | number | boolean): string {
  return typeof value === "string" && /^$|[\s="]/.test(value)
    ? JSON.stringify(value)
    : String(value);
}

function parseTopics(text: string, before: EventTopic[] = []): EventTopic[] {
  const topics = text.split(",").map((part) => {
    const topic = eventTopics.find((known) => known === part);
    if (topic !== undefined) return topic;
    const meant = didYouMean(part, eventTopics);
    throw new InvalidArgumentError(`Expected ${eventTopics.join(", ")}.${meant}`);
  });
  return [...before, ...topics];
}
