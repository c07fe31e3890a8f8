/**
 * Takes lines and writes them to a descriptor in the background: in order, one write in flight, at most
 * a fixed amount waiting. A reader that does not read costs lines, never time: what does not fit is
 * dropped and counted, and the count is reported once there is room again.
 *
 * pino's own destination is not used below it, because at exit it waits for a stuck reader without end.
 */
import { close, write, writeSync } from "node:fs";

export interface LineSinkOptions {
  /** Where to write; the sink closes it, unless it is a standard stream. */
  readonly fd: number;
  /** Bytes that may wait. */
  readonly waitingBytesMax: number;
  /** Whether a synchronous write can't block for long: a file, or a pipe in non-blocking mode. */
  readonly promptly: boolean;
  /** Lines were lost, and there is room now: the owner may write a line that says so. */
  readonly onDropped: (lines: number) => void;
}

/** One write takes at most this much, so that the first lines are out soon. */
const chunkBytesMax = 64 * 1024;

/** Pause before trying a full pipe again. */
const retryMs = 50;

export class LineSink {
  readonly #options: LineSinkOptions;
  #fd: number;
  #promptly: boolean;
  #lines: Buffer[] = [];
  #waitingBytes = 0;
  #chunk: Buffer | null = null;
  #chunkLines = 0;
  #writing = false;
  #retry: NodeJS.Timeout | null = null;
  #unreported = 0;
  #dropped = 0;
  #dead = false;
  #closed = false;
  #next: { readonly fd: number; readonly promptly: boolean } | null = null;
  #idle: (() => void)[] = [];

  constructor(options: LineSinkOptions) {
    this.#options = options;
    this.#fd = options.fd;
    this.#promptly = options.promptly;
  }

  /** Lines lost so far. */
  get dropped(): number {
    return this.#dropped;
  }

  /** Queues a line that ends with a line feed; never blocks, never throws. */
  write(line: string): void {
    const bytes = Buffer.from(line);
    if (
      this.#dead ||
      this.#closed ||
      this.#waitingBytes + bytes.length > this.#options.waitingBytesMax
    ) {
      this.#drop(1);
      return;
    }
    this.#lines.push(bytes);
    this.#waitingBytes += bytes.length;
    if (!this.#writing) this.#writeChunk();
  }

  /** Goes on with another descriptor once the write in flight is done; closes the old one then. */
  replace(fd: number, promptly: boolean): void {
    if (this.#next !== null) closeQuietly(this.#next.fd);
    this.#next = { fd, promptly };
    this.#dead = false;
    if (!this.#writing) this.#writeChunk();
  }

  /** Waits until everything is written; false when the deadline passes first. */
  flush(deadlineMs: number): Promise<boolean> {
    if (!this.#writing) return Promise.resolve(true);
    return new Promise((resolve) => {
      const timer = setTimeout(() => resolve(false), deadlineMs);
      this.#idle.push(() => {
        clearTimeout(timer);
        resolve(true);
      });
    });
  }

  /** Writes what waits and closes; gives up what is left at the deadline. */
  async close(deadlineMs: number): Promise<void> {
    if (this.#closed) return;
    this.#report();
    await this.flush(deadlineMs);
    this.flushNow();
    this.#closed = true;
    if (this.#retry !== null) clearTimeout(this.#retry);
    if (!this.#writing || this.#retry !== null) closeQuietly(this.#fd);
    if (this.#next !== null) closeQuietly(this.#next.fd);
  }

  /**
   * Writes what waits at once, for the moment when no event loop is left (the process exits). Stops at
   * the first refusal. Where a write could block, it does nothing.
   */
  flushNow(): void {
    if (this.#dead || this.#closed || !this.#promptly) return;
    // A chunk that the thread pool has is on its way; one that waits for its retry is ours.
    const own = this.#chunk !== null && this.#retry !== null ? [this.#chunk] : [];
    let rest = Buffer.concat([...own, ...this.#lines]);
    try {
      while (rest.length > 0) rest = rest.subarray(writeSync(this.#fd, rest));
    } catch {
      // Full or gone: whoever should read this does not, and the process is on its way out.
    }
    this.#drop(countLines(rest));
    if (own.length > 0) this.#chunk = null;
    this.#lines = [];
    this.#waitingBytes = this.#chunk?.length ?? 0;
  }

  #writeChunk(): void {
    if (this.#next !== null) this.#takeNext();
    if (this.#chunk === null && !this.#takeChunk()) {
      this.#writing = false;
      for (const resolve of this.#idle.splice(0)) resolve();
      return;
    }
    this.#writing = true;
    write(this.#fd, this.#chunk!, (error, count) => this.#written(error, count));
  }

  #written(error: NodeJS.ErrnoException | null, count: number): void {
    if (this.#closed) {
      // Closing gave up on this write; now that it is over, the descriptor can go.
      closeQuietly(this.#fd);
      return;
    }
    if (error === null) {
      this.#consume(count);
    } else if (error.code === "EAGAIN") {
      this.#retryLater();
      return;
    } else {
      this.#fail(error);
    }
    // Only after a success: on a full disk each report would fail and ask for the next one.
    if (error === null && this.#chunk === null) this.#report();
    this.#writeChunk();
  }

  #retryLater(): void {
    this.#retry = setTimeout(() => {
      this.#retry = null;
      this.#writeChunk();
    }, retryMs);
    // A stuck reader must not keep the process alive; `close` waits for as long as it was told.
    this.#retry.unref();
  }

  /** The chunk is lost. A broken pipe stays broken; a full disk may get room. */
  #fail(error: NodeJS.ErrnoException): void {
    this.#drop(this.#chunkLines);
    this.#consume(this.#chunk?.length ?? 0);
    if (error.code !== "EPIPE" && error.code !== "EBADF") return;
    this.#dead = true;
    this.#drop(this.#lines.length);
    this.#lines = [];
    this.#waitingBytes = 0;
  }

  #consume(count: number): void {
    this.#waitingBytes -= count;
    const rest = this.#chunk?.subarray(count);
    this.#chunk = rest === undefined || rest.length === 0 ? null : rest;
  }

  #takeChunk(): boolean {
    if (this.#lines.length === 0) return false;
    let length = 0;
    let lines = 0;
    while (lines < this.#lines.length && (lines === 0 || length < chunkBytesMax)) {
      length += this.#lines[lines]!.length;
      lines++;
    }
    this.#chunk = Buffer.concat(this.#lines.splice(0, lines), length);
    this.#chunkLines = lines;
    return true;
  }

  #takeNext(): void {
    // A chunk that has been begun ends where it began, so that no line is torn in two.
    if (this.#chunk !== null) return;
    closeQuietly(this.#fd);
    this.#fd = this.#next!.fd;
    this.#promptly = this.#next!.promptly;
    this.#next = null;
  }

  #drop(lines: number): void {
    this.#dropped += lines;
    this.#unreported += lines;
  }

  #report(): void {
    if (this.#unreported === 0 || this.#dead) return;
    const lines = this.#unreported;
    this.#unreported = 0;
    this.#options.onDropped(lines);
  }
}

function countLines(bytes: Buffer): number {
  let lines = 0;
  for (const byte of bytes) if (byte === 0x0a) lines++;
  return lines;
}

function closeQuietly(fd: number): void {
  // The standard streams belong to the process. A failed close leaves nothing to be done.
  if (fd > 2) close(fd, () => undefined);
}
