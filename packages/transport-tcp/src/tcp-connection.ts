/** One TCP connection as a pipe of bytes. */
import type { Connection, Span } from "@koala/interface";
import {
  closeFd,
  EAGAIN,
  EBADF,
  ECONNRESET,
  END_OF_STREAM,
  SPANS_MAX,
  socketGather,
  socketRead,
  socketScatter,
  socketWrite,
} from "@koala/native";

// One set of arguments serves all connections of a thread: they are filled and used within one call.
// `buffers` keeps the last calls' buffers alive, at most SPANS_MAX of them.
const buffers: ArrayBuffer[] = [];
const spanWords = new Int32Array(3 * SPANS_MAX);
let bufferCount = 0;

/**
 * How many of the last buffers are looked at for the one that a span is in. Frames go back and forth
 * between few buffers (headers, an app's region), and naming one again saves the addon about 80 ns.
 */
const lookBack = 4;

/** Writes the spans to `spanWords` and their buffers to `buffers`: how many there are, a prefix when too many. */
function fillVector(spans: readonly Span[], spanCount: number): number {
  const count = Math.min(spanCount, SPANS_MAX);
  bufferCount = 0;
  for (let i = 0; i < count; i++) {
    const span = spans[i]!;
    spanWords[3 * i] = indexOfBuffer(span.buffer);
    spanWords[3 * i + 1] = span.offset;
    spanWords[3 * i + 2] = span.length;
  }
  return count;
}

function indexOfBuffer(buffer: ArrayBuffer): number {
  const last = Math.max(bufferCount - lookBack, 0);
  for (let index = bufferCount - 1; index >= last; index--) {
    if (buffers[index] === buffer) return index;
  }
  buffers[bufferCount] = buffer;
  return bufferCount++;
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
      const count = fillVector(spans, spanCount);
      taken = socketGather(this.fd, buffers, bufferCount, spanWords, count);
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
      const count = fillVector(spans, spanCount);
      got = socketScatter(this.fd, buffers, bufferCount, spanWords, count);
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
