/** The admin socket before HTTP: listens, accepts, and knows from the kernel who has connected. */
import { unlinkSync } from "node:fs";
import { KoalaError, messageOf } from "@koala/interface";
import {
  closeFd,
  EAGAIN,
  errnoName,
  type PeerCredentials,
  POLL_IN,
  SOCKET_STREAM,
  socketAccept,
  socketPeerCredentials,
  unixConnect,
  unixListen,
  unwatch,
  watch,
  watchChange,
} from "@koala/native";
import type { AreaLog } from "../log/index.ts";

const backlog = 64;
const acceptsPerTurn = 16;
/** How long to leave the queue alone when a connection can't be accepted: no descriptors, mostly. */
const pauseMs = 100;

/** Gets each connection, and owns its descriptor from then on. */
export type OnConnection = (fd: number, peer: PeerCredentials) => void;

/** A listening admin socket. */
export interface AdminListener {
  readonly fd: number;
  /** Connections wait in the queue until `resume`. */
  pause(): void;
  resume(): void;
  /** No more connections; removes the socket. */
  close(): void;
  /** No more connections here: somebody else has the socket now. */
  leave(): void;
}

/**
 * Listens; throws ERR_ADMIN_SOCKET when it can't. A socket that nobody serves is replaced. `inherited`: the
 * descriptor of a daemon that listened at this path before; it waits for `resume`.
 */
export function openAdminListener(
  path: string,
  mode: number,
  log: AreaLog,
  onConnection: OnConnection,
  inherited?: number,
): AdminListener {
  const listener = inherited ?? listenAt(path, mode);
  let pause: NodeJS.Timeout | undefined;
  let isPaused = inherited !== undefined;
  const watcher = watch(listener, POLL_IN, () => {
    for (let i = 0; i < acceptsPerTurn; i++) {
      const fd = socketAccept(listener);
      if (fd >= 0) {
        onConnection(fd, socketPeerCredentials(fd));
        continue;
      }
      if (fd === -EAGAIN) return;
      // The connection stays in the queue, so without a pause this would go round at full speed.
      log.error("accept failed", { reason: errnoName(fd), pauseMs });
      watchChange(watcher, 0);
      pause = setTimeout(() => watchChange(watcher, isPaused ? 0 : POLL_IN), pauseMs);
      return;
    }
  });
  if (isPaused) watchChange(watcher, 0);
  const setPaused = (paused: boolean): void => {
    isPaused = paused;
    watchChange(watcher, paused ? 0 : POLL_IN);
  };
  const leave = (): void => {
    clearTimeout(pause);
    unwatch(watcher);
    closeFd(listener);
  };
  return {
    fd: listener,
    pause: () => setPaused(true),
    resume: () => setPaused(false),
    leave,
    close: () => {
      leave();
      try {
        unlinkSync(path);
      } catch {
        // Somebody has removed the directory already; there is nothing left to clean up.
      }
    },
  };
}

function listenAt(path: string, mode: number): number {
  try {
    return unixListen(path, SOCKET_STREAM, backlog, mode);
  } catch (error) {
    if (!isErrno(error, "EADDRINUSE")) throw socketError(path, messageOf(error), error);
  }
  if (isServed(path)) {
    const reason = "another koalad serves it; use another --prefix, or stop that one";
    throw socketError(path, reason, undefined);
  }
  try {
    unlinkSync(path);
    return unixListen(path, SOCKET_STREAM, backlog, mode);
  } catch (error) {
    throw socketError(path, messageOf(error), error);
  }
}

/** A daemon that was killed leaves its socket behind: connecting to it is refused. */
function isServed(path: string): boolean {
  try {
    closeFd(unixConnect(path, SOCKET_STREAM));
    return true;
  } catch (error) {
    // The queue of a daemon that does not answer is full, and it is there all the same.
    return isErrno(error, "EAGAIN");
  }
}

function isErrno(error: unknown, code: string): boolean {
  return error instanceof Error && "code" in error && error.code === code;
}

function socketError(path: string, reason: string, cause: unknown): KoalaError {
  return new KoalaError("ERR_ADMIN_SOCKET", `can't listen at ${path}: ${reason}`, { cause });
}
