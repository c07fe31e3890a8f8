/**
 * Linux's numbers, written down so that compiled code sees constants and importing them needs no
 * addon. They are the same on every architecture that Node runs on; a test compares them with what the
 * addon was compiled against.
 */

/** No further seals can be added. */
export const SEAL_SEAL = 0x1;
/** The region can't get smaller. */
export const SEAL_SHRINK = 0x2;
/** The region can't get larger. */
export const SEAL_GROW = 0x4;
/** Nobody can write. Needs that no writable mapping exists. */
export const SEAL_WRITE = 0x8;
/** No new way to write; mappings that are writable already stay so. */
export const SEAL_FUTURE_WRITE = 0x10;

/** Readable; the same bits for watchers and pollers. */
export const POLL_IN = 0x1;
/** Writable. */
export const POLL_OUT = 0x4;
/** An error is pending (reported without being asked for). */
export const POLL_ERR = 0x8;
/** Both directions are closed (reported without being asked for; pollers only). */
export const POLL_HUP = 0x10;
/** The peer closed its side for writing. */
export const POLL_RDHUP = 0x2000;
/** Report changes, not states. Pollers only; has the sign bit, so combine it with `|` and nothing else. */
export const POLL_EDGE: number = 1 << 31;

/** A stream of bytes. */
export const SOCKET_STREAM = 1;
/** A sequence of messages over a connection. */
export const SOCKET_SEQPACKET = 5;

/** What `socketRead` and `socketReadv` return once the peer has closed its side. No errno is this large. */
export const END_OF_STREAM = -10000;
/** Spans in one `socketWritev` or `socketReadv`. */
export const SPANS_MAX = 256;
/** Descriptors in one message. */
export const MESSAGE_FDS_MAX = 16;
/** Bytes in the path of a Unix socket. */
export const UNIX_PATH_BYTES_MAX = 107;

export const EPERM = 1;
export const ENOENT = 2;
export const EINTR = 4;
export const EBADF = 9;
export const EAGAIN = 11;
export const ENOMEM = 12;
export const EACCES = 13;
export const EBUSY = 16;
export const EEXIST = 17;
export const EINVAL = 22;
export const ENFILE = 23;
export const EMFILE = 24;
export const ENOSPC = 28;
export const EPIPE = 32;
export const EPROTO = 71;
export const ENOTSOCK = 88;
export const EMSGSIZE = 90;
export const EADDRINUSE = 98;
export const EADDRNOTAVAIL = 99;
export const ENETUNREACH = 101;
export const ECONNABORTED = 103;
export const ECONNRESET = 104;
export const ENOBUFS = 105;
export const ENOTCONN = 107;
export const ETIMEDOUT = 110;
export const ECONNREFUSED = 111;
export const EHOSTUNREACH = 113;
export const EINPROGRESS = 115;
