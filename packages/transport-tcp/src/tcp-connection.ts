/** One TCP connection as a pipe of bytes. */
import type { Connection, Span } from "@koala/interface";
import {
  closeFd,
  EAGAIN,
  EBADF,
  ECONNRESET,
  END_OF_STREAM,
  SPANS_MAX,
  socketRead,
  socketReadv,
  socketWrite,
  socketWritev,
} from "@koala/native";

// One set of arguments serves all connections of a thread: they are filled and used within one call.
// `buffers` keeps the last call's buffers alive, at most SPANS_MAX of them.
const spanWords = new Int32Array(2 * SPANS_MAX);
const buffers: ArrayBuffer[] = [];

/** Writes the spans to `buffers` and `spanWords` and returns how many there are: a prefix when too many. */
function fillVector(spans: readonly Span[], spanCount: number): number {
  const count = Math.min(spanCount, SPANS_MAX);
  for (let i = 0; i < count; i++) {
    const span = spans[i]!;
    buffers[i] = span.buffer;
    spanWords[2 * i] = span.offset;
    spanWords[2 * i + 1] = span.length;
  }
  return count;
}

/**
 * A connected socket. The kernel copies what it takes at once, so memory is the caller's again as soon as
 * `send` returns. After `close` nothing touches the descriptor's number, which may be somebody else's.
 */
export class TcpConnection implements Connection {
  readonly fd: number;
  readonly remote: string;
  private sent = 0;
  private closed = false;

  constructor(fd: number, remote: string) {
    this.fd = fd;
    this.remote = remote;
  }

  send(spans: readonly Span[], spanCount: number): number {
    if (this.closed) return -EBADF;
    let taken = 0;
    if (spanCount === 1) {
      const span = spans[0]!;
      taken = socketWrite(this.fd, span.buffer, span.offset, span.length);
    } else if (spanCount > 1) {
      taken = socketWritev(this.fd, buffers, spanWords, fillVector(spans, spanCount));
    }
    if (taken >= 0) {
      this.sent += taken;
      return taken;
    }
    return taken === -EAGAIN ? 0 : taken;
  }

  sentBytes(): number {
    return this.sent;
  }

  receive(spans: readonly Span[], spanCount: number): number {
    if (this.closed) return -EBADF;
    let got = 0;
    if (spanCount === 1) {
      const span = spans[0]!;
      got = socketRead(this.fd, span.buffer, span.offset, span.length);
    } else if (spanCount > 1) {
      got = socketReadv(this.fd, buffers, spanWords, fillVector(spans, spanCount));
    }
    if (got >= 0) return got;
    if (got === -EAGAIN) return 0;
    return got === END_OF_STREAM ? -ECONNRESET : got;
  }

  close(): void {
    if (this.closed) return;
    this.closed = true;
    closeFd(this.fd);
  }
}
