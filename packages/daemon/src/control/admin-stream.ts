/**
 * An answer without an end: lines of JSON (NDJSON), written as fast as the reader takes them and no
 * faster. What does not fit stays with the source, which is bounded.
 */
import type { ServerResponse } from "node:http";

/** Where the lines come from. */
export interface AdminStream {
  /** Besides those that every stream has. */
  readonly headers?: Readonly<Record<string, string>>;
  /** The next line; undefined when there is none now. Must not throw. */
  nextLine(): object | undefined;
  /** Called once, before the first `nextLine`: from then on `wake` says that there is something again. */
  start(wake: () => void): void;
  /** The reader is gone, or the daemon stops. */
  close(): void;
}

/** A stream that is being written. */
export interface RunningStream {
  /** Writes what is there already, and ends. */
  end(): void;
  /** The same without an end: the reader asks the daemon that comes next for the rest. */
  cut(): void;
}

/** Writes a stream until one of the two sides ends it. */
export function runStream(response: ServerResponse, stream: AdminStream): RunningStream {
  let isOver = false;
  let isFull = false;
  const over = (): void => {
    if (isOver) return;
    isOver = true;
    stream.close();
  };
  const pump = (): void => {
    while (!isOver && !isFull) {
      const line = stream.nextLine();
      if (line === undefined) return;
      isFull = !response.write(`${JSON.stringify(line)}\n`);
    }
  };
  response.on("drain", () => {
    isFull = false;
    pump();
  });
  response.on("close", over);
  response.on("error", over);
  response.shouldKeepAlive = false;
  response.writeHead(200, { "content-type": "application/x-ndjson", ...stream.headers });
  // The reader knows now that it hears of everything from here on, also when nothing happens for hours.
  response.flushHeaders();
  stream.start(pump);
  pump();
  return {
    end: () => {
      pump();
      over();
      response.end();
    },
    cut: () => {
      pump();
      over();
      response.socket?.destroySoon();
    },
  };
}
