/** The handshake: from a socket path to everything that a datapath needs. */
import { threadId } from "node:worker_threads";
import { KoalaError, messageOf } from "@koala/interface";
import { closeFd } from "@koala/native";
import { CONTROL_VERSION, type DaemonMessage } from "@koala/protocol";
import { ControlChannel } from "./control-channel.ts";

/** The daemon's `welcome`. */
export type Welcome = Extract<DaemonMessage, { op: "welcome" }>;

/** An accepted connection. Whoever has it owns the channel and the descriptors. */
export interface Attachment {
  readonly control: ControlChannel;
  readonly welcome: Welcome;
  /** The first region of the send heap, and the rings behind it. */
  readonly region: number;
  readonly daemonBell: number;
  readonly appBell: number;
}

/** Why a daemon could not be attached to; `mayRetry`: whether trying again makes sense. */
export class ConnectError extends KoalaError {
  readonly mayRetry: boolean;

  constructor(code: string, message: string, mayRetry: boolean, options?: { cause?: unknown }) {
    super(code, message, options);
    this.name = "ConnectError";
    this.mayRetry = mayRetry;
  }
}

const library = "koala-node/0.1.0";
const welcomeFds = 3;

/**
 * Connects to the daemon at `path`, introduces this thread, and hands the connection to `adopt`. That happens
 * while the welcome is handled, not later: packets that follow it belong to the adopted connection.
 *
 * Rejects with a `ConnectError`: `ERR_CONNECT_SOCKET` (nobody there, no permission), `ERR_CONNECT_TIMEOUT`,
 * `ERR_CONNECT_PROTOCOL`, or the daemon's own code when it refuses.
 */
export function attach(
  path: string,
  name: string,
  labels: Readonly<Record<string, string>>,
  timeoutMs: number,
  adopt: (attachment: Attachment) => void,
): Promise<void> {
  return new Promise((resolve, reject) => {
    const fail = (code: string, message: string, mayRetry: boolean, cause?: unknown): void => {
      clearTimeout(timer);
      control?.end();
      reject(new ConnectError(code, message, mayRetry, { cause }));
    };
    const onPacket = (message: DaemonMessage, fds: readonly number[]): void => {
      const isWelcome = message.op === "welcome" && message.version === CONTROL_VERSION;
      if (isWelcome && fds.length === welcomeFds) {
        clearTimeout(timer);
        try {
          adopt(attachment(control!, message, fds));
          resolve();
        } catch (cause) {
          fail("ERR_CONNECT_PROTOCOL", `${path}: ${messageOf(cause)}`, false, cause);
        }
        return;
      }
      fds.forEach(closeFd);
      if (message.op === "closed") {
        fail(message.code, `the daemon at ${path}: ${message.message}`, message.reconnect);
      } else {
        fail("ERR_CONNECT_PROTOCOL", protocolText(path, message), false);
      }
    };
    const onEnd = (why: string): void => fail("ERR_CONNECT_SOCKET", `${path}: ${why}`, true);
    const timer = setTimeout(
      () => fail("ERR_CONNECT_TIMEOUT", `${path}: no answer in ${Math.round(timeoutMs)} ms`, true),
      timeoutMs,
    );
    let control: ControlChannel | undefined;
    try {
      control = new ControlChannel(path, { onPacket, onEnd });
      const version = CONTROL_VERSION;
      control.send({ op: "hello", version, name, library, thread: threadId, labels });
    } catch (cause) {
      fail("ERR_CONNECT_SOCKET", `${path}: ${messageOf(cause)}`, true, cause);
    }
  });
}

function attachment(control: ControlChannel, welcome: Welcome, fds: readonly number[]): Attachment {
  return {
    control,
    welcome,
    region: fds[0]!,
    daemonBell: fds[1]!,
    appBell: fds[2]!,
  };
}

function protocolText(path: string, message: DaemonMessage): string {
  const got = message.op === "welcome" ? `version ${message.version}` : `"${message.op}"`;
  return `the daemon at ${path} answered ${got}, expected a welcome of version ${CONTROL_VERSION} with ${welcomeFds} descriptors; use a daemon and a library of one release`;
}
