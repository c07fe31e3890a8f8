/**
 * The control channel between an app thread and its daemon: one SOCK_SEQPACKET Unix socket
 * (`<prefix>/koala.sock`), a JSON object a packet, descriptors beside it (SCM_RIGHTS). Everything that
 * is not a call goes here. Requests carry `seq`; the answer repeats it.
 *
 * A packet is at most `controlPacketBytesMax`; a schema travels in a memfd of the app that the daemon
 * reads with pread and never maps.
 */
export const CONTROL_VERSION = 2;
/** Below the default socket buffer of Linux (208 KiB), so that a packet is never refused for size. */
export const controlPacketBytesMax: number = 64 * 1024;
/** Name of the socket inside the prefix directory. */
export const CONTROL_SOCKET = "koala.sock";
/** Name of the admin socket inside the prefix directory. */
export const ADMIN_SOCKET = "admin.sock";
/** Socket paths end after 107 bytes (`sun_path`); this leaves 23 for the names below the prefix. */
export const prefixBytesMax = 84;

/** App to daemon. The daemon checks it with `appRequestSchema` and closes the channel when it does not fit. */
export type AppRequest =
  /**
   * First packet. Answered by `welcome` or `closed`. `name`: what logs and `koalactl apps` call the app; `labels`:
   * what else it says of itself, for policies to select by.
   */
  | {
      op: "hello";
      version: number;
      name: string;
      library: string;
      thread: number;
      labels?: Record<string, string> | undefined;
    }
  /** The caller's schema for a service under a mesh name; fd 0 = memfd with the FileDescriptorSet. */
  | { op: "bind"; seq: number; target: string; service: string; hash: string; schemaBytes: number }
  /** Offers a service under a mesh name; fd 0 = memfd with the FileDescriptorSet. */
  | { op: "serve"; seq: number; name: string; service: string; hash: string; schemaBytes: number }
  /** No new calls for this export, please; answered by `unserved` once the daemon routes none to it. */
  | { op: "unserve"; seq: number; export: number }
  /**
   * The descriptors of a service, from a server that offers it, under `target` if that is given; answered by
   * `described`.
   */
  | { op: "describe"; seq: number; service: string; target?: string | undefined }
  /** What can be reached. `watch`: say `offers` at the next change. */
  | { op: "services"; seq: number; watch: boolean }
  /** The send heap needs another region that can hold one block of so many bytes. */
  | { op: "grow"; seq: number; bytes: number }
  /** All blocks of this send region are free and the app has unmapped it. */
  | { op: "shrink"; region: number };

/** What an app must know to stay within the daemon's limits. */
export interface AppLimits {
  /** Largest message, inline part and segments together, bytes. */
  messageBytesMax: number;
  metadataBytesMax: number;
  /** Calls in flight of one app thread, outgoing; the daemon sends it as many incoming ones at most. */
  callsMax: number;
  ringSlots: number;
  /** All regions of the send heap together, bytes. */
  sendHeapBytesMax: number;
  /** Messages of one stream that may be on their way to this app and not taken, bytes. */
  streamBufferBytes: number;
}

/** Daemon to app. */
export type DaemonMessage =
  /**
   * Answer to `hello`. Descriptors, in order: 0 the app's first region, 1 doorbell that wakes the daemon, 2 the
   * listening end of the doorbell that wakes the app. The region has `regionBytes`: region 0 of the send heap,
   * and from `ringsOffset` on the rings, the app's send ring first. Regions of the receive heap (read-only) come when they are needed.
   */
  | {
      op: "welcome";
      version: number;
      app: number;
      daemon: { name: string; version: string; pid: number };
      limits: AppLimits;
      ringsOffset: number;
      regionBytes: number;
    }
  /** Answer to `bind`: the id for word 2 of CALL slots. */
  | { op: "bound"; seq: number; binding: number }
  /** Answer to `serve`: the id that word 2 of incoming CALL slots carries. */
  | { op: "serving"; seq: number; export: number }
  | { op: "unserved"; seq: number }
  /** Answer to `describe`; fd 0 = sealed memfd with a FileDescriptorSet of so many bytes. */
  | { op: "described"; seq: number; bytes: number }
  /** Answer to `services`; fd 0 = sealed memfd with so many bytes of JSON: a list of `ServiceOffer`. */
  | { op: "services"; seq: number; bytes: number }
  /** What can be reached has changed since `services` was asked; said once. */
  | { op: "offers" }
  /** `bind`, `serve`, `describe` or `grow` can't be had; `code` is a stable error code, `status` a gRPC status. */
  | { op: "refused"; seq: number; code: string; status: number; message: string }
  /** A new region; fd 0 is its memfd. `seq` repeats that of `grow` for the send heap. */
  | { op: "region"; heap: "send" | "receive"; id: number; bytes: number; seq?: number }
  /** The daemon has closed this receive region; no block of it is in use. */
  | { op: "unmap"; id: number }
  /** The daemon is about to stop: it takes no new calls, and closes once the pending ones ended. */
  | { op: "drain" }
  /** Last packet. `reconnect`: whether trying again makes sense. */
  | { op: "closed"; code: string; message: string; reconnect: boolean };
