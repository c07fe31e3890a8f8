/** Where the lines go: a file or standard error, written by the thread pool, so that nobody waits for a disk. */

import { write } from "node:fs";
import { type FileHandle, open } from "node:fs/promises";
import { messageOf } from "@koala/interface";

const stderrFd = 2;

export interface LogFileOptions {
  /** Undefined: standard error. */
  readonly path: string | undefined;
  readonly backlogBytesMax: number;
  /** So many lines are lost. */
  lost(lines: number): void;
  warn(message: string): void;
}

interface Chunk {
  readonly bytes: Uint8Array;
  readonly lines: number;
}

export class LogFile {
  private options: LogFileOptions;
  private readonly waiting: Chunk[] = [];
  private waitingBytes = 0;
  private handle: FileHandle | undefined = undefined;
  private mustReopen = false;
  /** While something is written. */
  private writing: Promise<void> | undefined = undefined;
  private hasFailed = false;

  constructor(options: LogFileOptions) {
    this.options = options;
  }

  /** Writes lines behind all others, or drops them when too much waits. */
  append(text: string, lines: number): void {
    const bytes = Buffer.from(text);
    if (this.waitingBytes + bytes.length > this.options.backlogBytesMax) {
      this.options.lost(lines);
      return;
    }
    this.waiting.push({ bytes, lines });
    this.waitingBytes += bytes.length;
    this.work();
  }

  /** What comes from now on goes to the file that is there now: it may have been renamed. */
  reopen(): void {
    this.mustReopen = true;
    this.work();
  }

  /** Another path or bound. */
  change(options: LogFileOptions): void {
    const isMoved = options.path !== this.options.path;
    this.options = options;
    if (isMoved) this.reopen();
  }

  /** Writes what waits, and closes. */
  async close(): Promise<void> {
    await this.writing;
    await this.closeHandle();
  }

  private work(): void {
    this.writing ??= this.writeAll().finally(() => {
      this.writing = undefined;
    });
  }

  private async writeAll(): Promise<void> {
    while (this.waiting.length > 0 || this.mustReopen) {
      if (this.mustReopen) {
        this.mustReopen = false;
        await this.closeHandle();
      }
      const chunks = this.waiting.splice(0);
      if (chunks.length === 0) continue;
      const bytes = Buffer.concat(chunks.map((chunk) => chunk.bytes));
      try {
        await this.write(bytes);
        this.hasFailed = false;
      } catch (error) {
        this.options.lost(chunks.reduce((sum, { lines }) => sum + lines, 0));
        if (!this.hasFailed) this.warnOf(error);
        this.hasFailed = true;
        await this.closeHandle();
      }
      this.waitingBytes -= bytes.length;
    }
  }

  private async write(bytes: Uint8Array): Promise<void> {
    const { path } = this.options;
    if (path === undefined) {
      await writeFully(stderrFd, bytes);
      return;
    }
    this.handle ??= await open(path, "a", 0o640);
    await this.handle.appendFile(bytes);
  }

  private warnOf(error: unknown): void {
    const where = this.options.path ?? "standard error";
    this.options.warn(`can't write the access log to ${where}: ${messageOf(error)}`);
  }

  private async closeHandle(): Promise<void> {
    const { handle } = this;
    this.handle = undefined;
    await handle?.close().catch((error: unknown) => this.warnOf(error));
  }
}

/** Standard error stays open, so it has no handle of its own. */
async function writeFully(fd: number, bytes: Uint8Array): Promise<void> {
  let at = 0;
  while (at < bytes.length) {
    const from = at;
    at += await new Promise<number>((resolve, reject) => {
      write(fd, bytes, from, bytes.length - from, null, (error, written) => {
        if (error === null) resolve(written);
        else reject(error);
      });
    });
  }
}
