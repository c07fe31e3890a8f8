/**
 * The events of a daemon, also over its upgrade or its violent end: when the connection breaks, the daemon
 * that comes next is asked for what is behind the last event. A daemon that stops ends the stream in order.
 */
import { KoalaError } from "@koala/interface";
import { type DaemonEvent, type EventGap, eventBusHeader } from "@koala/protocol";
import { followAdmin, type Query } from "./admin-client.ts";

/** How long another daemon may take to be there. */
const patienceMs = 5000;
const pauseMs = 100;

/** What one follows. */
export interface Following {
  readonly prefix: string;
  readonly query: Query;
  readonly signal?: AbortSignal | undefined;
  /** How long to wait for a daemon that comes next. */
  readonly patienceMs?: number;
  /** Another daemon has been started: its events begin anew. */
  readonly onRestart?: () => void;
}

/**
 * Events and gaps until the daemon stops, or is gone and none comes in its place.
 *
 * @throws KoalaError as `followAdmin`
 */
export async function* followEvents(following: Following): AsyncGenerator<DaemonEvent | EventGap> {
  const { prefix, query, signal, onRestart } = following;
  let bus = "";
  let seq = -1;
  let deadline = Number.POSITIVE_INFINITY;
  let failure: unknown;
  while (signal?.aborted !== true) {
    const { last: _, ...rest } = query;
    const again = seq < 0 ? query : { ...rest, since: String(seq), bus };
    try {
      const lines = followAdmin(
        prefix,
        "/v1/events",
        { ...again, follow: "1" },
        signal,
        (headers) => {
          const name = String(headers[eventBusHeader] ?? "");
          if (bus !== "" && name !== bus) onRestart?.();
          bus = name;
          seq = Math.max(seq, 0);
          deadline = Number.POSITIVE_INFINITY;
          failure = undefined;
        },
      );
      for await (const line of lines) {
        if (isEvent(line)) {
          seq = line.seq;
          yield line;
        } else if (typeof line["dropped"] === "number") {
          yield { dropped: line["dropped"] };
        }
      }
      return;
    } catch (error) {
      if (!isGone(error) || bus === "") throw error;
      failure ??= error;
    }
    deadline = Math.min(deadline, performance.now() + (following.patienceMs ?? patienceMs));
    if (performance.now() + pauseMs > deadline) throw failure;
    await pause(signal);
  }
}

/** Whether a line is an event, and not a gap. */
export function isEvent(line: object): line is DaemonEvent {
  return "seq" in line && "topic" in line && "fields" in line;
}

function isGone(error: unknown): boolean {
  const codes = ["ERR_CTL_CUT", "ERR_CTL_NO_DAEMON", "ERR_CTL_SOCKET"];
  return error instanceof KoalaError && codes.includes(error.code);
}

function pause(signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, pauseMs);
    const stop = (): void => {
      clearTimeout(timer);
      resolve();
    };
    signal?.addEventListener("abort", stop, { once: true });
  });
}
