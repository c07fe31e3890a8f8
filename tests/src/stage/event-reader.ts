/** A reader of a daemon's events, for tests that wait for something to happen. */
import { type IncomingMessage, request } from "node:http";
import { join } from "node:path";
import type { DaemonEvent, EventGap } from "@koala/protocol";
import { type Ending, until } from "@koala/testing";
import { atEnd } from "./cluster.ts";

/** Events as they come. */
export interface EventReader {
  readonly events: DaemonEvent[];
  /** How many it was told are missing. */
  readonly dropped: () => number;
  /** Whether the daemon has ended the stream: in order, or cut it. */
  readonly end: () => "open" | "ended" | "cut";
  /** Waits for the first event behind number `since` that is called `topic/name`. */
  next(what: string, since?: number): Promise<DaemonEvent>;
  /** Reads no more, without hanging up. */
  pause(): void;
}

/** Follows the events of a daemon until the test ends: `followEvents(t, daemon, "topic=app,link")`. */
export async function followEvents(
  test: Ending,
  { prefix }: { prefix: string },
  query = "",
): Promise<EventReader> {
  const response = await open(join(prefix, "admin.sock"), `/v1/events?follow=1&${query}`);
  atEnd(test, () => response.destroy());
  const events: DaemonEvent[] = [];
  let dropped = 0;
  let end: "open" | "ended" | "cut" = "open";
  let rest = "";
  response.setEncoding("utf8");
  response.on("data", (chunk: string) => {
    const lines = (rest + chunk).split("\n");
    rest = lines.pop()!;
    for (const line of lines) {
      const value = JSON.parse(line) as DaemonEvent | EventGap;
      if ("dropped" in value) dropped += value.dropped;
      else events.push(value);
    }
  });
  response.on("end", () => {
    end = "ended";
  });
  response.on("error", () => {
    end = "cut";
  });
  return {
    events,
    dropped: () => dropped,
    end: () => end,
    next: async (what, since = 0) => {
      const find = (): DaemonEvent | undefined =>
        events.find(({ seq, topic, name }) => seq > since && `${topic}/${name}` === what);
      await until(`the event ${what}`, () => find() !== undefined);
      return find()!;
    },
    pause: () => void response.pause(),
  };
}

function open(socketPath: string, path: string): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    const asked = request({ socketPath, path, agent: false }, resolve);
    asked.on("error", reject);
    asked.end();
  });
}
