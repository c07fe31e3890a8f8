/**
 * The control channels of apps: accepts them, knows who is at the other end from the kernel, checks every
 * packet, and passes it on to the runtime that serves the app. Answers come from that runtime.
 */
import { mkdirSync, unlinkSync } from "node:fs";
import { dirname } from "node:path";
import { KoalaError, messageOf } from "@koala/interface";
import {
  closeFd,
  duplicateFd,
  EAGAIN,
  EMFILE,
  EMSGSIZE,
  errnoName,
  POLL_IN,
  receiveMessage,
  SOCKET_SEQPACKET,
  sendMessage,
  socketAccept,
  socketPeerCredentials,
  unixConnect,
  unixListen,
  unwatch,
  watch,
  watchChange,
} from "@koala/native";
import {
  type AppRequest,
  CONTROL_VERSION,
  controlPacketBytesMax,
  type DaemonMessage,
} from "@koala/protocol";
import { appRequestSchema } from "@koala/protocol/schemas";
import type { EmitEvent } from "../events/event-source.ts";
import type { AreaLog } from "../log/index.ts";
import type { RuntimePool } from "../runtimes/runtime-pool.ts";
import { version } from "../version.ts";
import type { AppIdentity } from "../worker/commands.ts";
import { spareDescriptors } from "./app-room.ts";
import type { RuntimeThread } from "./runtime-thread.ts";

/** Connections that have not said hello are closed after this time. */
const helloDeadlineMs = 5000;
const packetsPerTurn = 64;
/** How long nobody is accepted when not even the spare descriptor could be had. */
const fullPauseMs = 200;
const descriptorsMax = 16;

const noDescriptors = "ERR_APP_DESCRIPTORS";

interface Channel {
  readonly id: number;
  readonly fd: number;
  readonly pid: number;
  readonly uid: number;
  watcher: number;
  runtime: RuntimeThread | null;
  deadline: NodeJS.Timeout | null;
}

/** A control channel in the hands of the next daemon. */
export interface ChannelState {
  readonly id: number;
  readonly fd: number;
  readonly pid: number;
  readonly uid: number;
  /** Index of the app's runtime; -1 while it has not said hello. */
  readonly runtime: number;
}

/** What the next daemon needs to go on with the control channels. */
export interface AppServerState {
  readonly listener: number;
  readonly nextId: number;
  readonly channels: readonly ChannelState[];
}

export interface AppServerOptions {
  /** Goes on where another daemon stopped. */
  saved?: AppServerState | undefined;
  path: string;
  appsMax: number;
  /** Descriptors that this process may have. */
  openFilesMax: number;
  runtimes: RuntimePool;
  log: AreaLog;
  emitEvent: EmitEvent;
}

export class AppServer {
  private readonly options: AppServerOptions;
  private readonly channels = new Map<number, Channel>();
  private readonly listener: number;
  private watcher = -1;
  private readonly packet = new Uint8Array(controlPacketBytesMax);
  private readonly fds = new Int32Array(1 + descriptorsMax);
  private nextId = 1;
  /** Given up when there is no other one, to be able to tell who connects. */
  private spare: number;

  /**
   * Listens; throws ERR_DAEMON_SOCKET when it can't, and says who is in the way. Apps that connect are
   * kept waiting until `start`.
   */
  constructor(options: AppServerOptions) {
    this.options = options;
    const { saved } = options;
    this.listener = saved?.listener ?? listenAt(options.path);
    this.spare = duplicateFd(this.listener);
    if (saved === undefined) return;
    this.nextId = saved.nextId;
    for (const { runtime: index, ...channel } of saved.channels) {
      const runtime = options.runtimes.threads.find((known) => known.index === index) ?? null;
      if (runtime !== null) runtime.apps++;
      this.channels.set(channel.id, { ...channel, watcher: -1, runtime, deadline: null });
    }
  }

  /** The runtimes are there: takes apps, and what they say, from now on. */
  start(): void {
    this.watcher = watch(this.listener, POLL_IN, () => this.accept());
    for (const channel of this.channels.values()) this.listenTo(channel);
  }

  /** What apps say, and those that connect, wait in their sockets until `start`. */
  pause(): void {
    if (this.watcher >= 0) unwatch(this.watcher);
    this.watcher = -1;
    for (const channel of this.channels.values()) {
      unwatch(channel.watcher);
      channel.watcher = -1;
      if (channel.deadline !== null) clearTimeout(channel.deadline);
    }
  }

  /** For the next daemon, while paused. The descriptors stay this one's. */
  save(): AppServerState {
    const channels = [...this.channels.values()].map(({ id, fd, pid, uid, runtime }) => {
      return { id, fd, pid, uid, runtime: runtime === null ? -1 : runtime.index };
    });
    return { listener: this.listener, nextId: this.nextId, channels };
  }

  /** Who serves an app; undefined when there is no such app, or nobody does yet. */
  runtimeOf(app: number): RuntimeThread | undefined {
    return this.channels.get(app)?.runtime ?? undefined;
  }

  /** What the app says waits in its socket until `letSpeak`. */
  hush(app: number): void {
    const channel = this.channels.get(app);
    if (channel === undefined || channel.watcher < 0) return;
    unwatch(channel.watcher);
    channel.watcher = -1;
  }

  /** The app is served by this runtime, from now on or still. */
  letSpeak(app: number, runtime: RuntimeThread): void {
    const channel = this.channels.get(app);
    if (channel === undefined) return;
    if (channel.runtime !== null && channel.runtime !== runtime) {
      channel.runtime.apps--;
      this.options.runtimes.left(channel.runtime);
      runtime.apps++;
      channel.runtime = runtime;
    }
    if (channel.watcher < 0 && this.watcher >= 0) this.listenTo(channel);
  }

  /** The runtime has ended this app's datapath, and has told the app. */
  closed(id: number): void {
    const channel = this.channels.get(id);
    if (channel !== undefined) this.drop(channel);
  }

  /** A runtime has failed, and nobody else can tell its apps. Returns how many there were. */
  lost(runtime: RuntimeThread, code: string, message: string): number {
    const lost = [...this.channels.values()].filter((channel) => channel.runtime === runtime);
    for (const channel of lost) {
      tell(channel, { op: "closed", code, message, reconnect: true });
      this.drop(channel);
    }
    return lost.length;
  }

  close(): void {
    if (this.watcher >= 0) unwatch(this.watcher);
    this.watcher = -1;
    closeFd(this.listener);
    if (this.spare >= 0) closeFd(this.spare);
    for (const channel of [...this.channels.values()]) this.drop(channel);
    try {
      unlinkSync(this.options.path);
    } catch {
      // Somebody has removed the directory already; there is nothing left to clean up.
    }
  }

  private accept(): void {
    for (let i = 0; i < packetsPerTurn; i++) {
      const fd = socketAccept(this.listener);
      if (fd === -EMFILE) {
        // The kernel wants a descriptor before it looks whether anybody is there.
        if (this.turnAway()) continue;
        return;
      }
      if (fd < 0) {
        if (fd !== -EAGAIN) this.options.log.error("accept failed", { reason: errnoName(fd) });
        return;
      }
      this.open(fd);
    }
  }

  /**
   * There are no descriptors left: takes the next connection with the spare one, says why it can't stay, and
   * closes it. Otherwise it would wait without an answer, and the listener be ready without end. True if there
   * was one.
   */
  private turnAway(): boolean {
    if (this.spare >= 0) closeFd(this.spare);
    this.spare = -1;
    const fd = socketAccept(this.listener);
    if (fd >= 0) {
      this.options.log.warn("app refused", { code: noDescriptors, reason: this.fullText() });
      const message = this.fullText();
      tell({ fd }, { op: "closed", code: noDescriptors, message, reconnect: false });
      // A socket that is closed with something unread resets its peer, which then does not read the reason.
      receiveMessage(fd, this.packet, this.fds);
      closeFd(fd);
    }
    try {
      this.spare = duplicateFd(this.listener);
    } catch (error) {
      // Another thread was faster. Whoever connects waits a while.
      this.options.log.error("no descriptors left", { reason: messageOf(error) });
      this.lookAway();
    }
    return fd >= 0;
  }

  private lookAway(): void {
    const { watcher } = this;
    watchChange(watcher, 0);
    setTimeout(() => {
      if (this.watcher === watcher) watchChange(watcher, POLL_IN);
    }, fullPauseMs).unref();
  }

  private fullText(): string {
    const { openFilesMax } = this.options;
    return `the daemon has no descriptors left for another app (its limit of open files is ${openFilesMax}); raise LimitNOFILE in its unit of systemd, or ulimit -n, and start it again`;
  }

  private open(fd: number): void {
    const { pid, uid } = socketPeerCredentials(fd);
    const id = this.nextId++;
    const channel: Channel = { id, fd, pid, uid, watcher: -1, runtime: null, deadline: null };
    this.channels.set(id, channel);
    this.listenTo(channel);
  }

  private listenTo(channel: Channel): void {
    channel.watcher = watch(channel.fd, POLL_IN, () => this.read(channel));
    if (channel.runtime !== null) return;
    channel.deadline = setTimeout(
      () => this.refuse(channel, "ERR_APP_PROTOCOL", "no hello in time"),
      helloDeadlineMs,
    );
    channel.deadline.unref();
  }

  private read(channel: Channel): void {
    for (let i = 0; i < packetsPerTurn && this.channels.has(channel.id); i++) {
      const bytes = receiveMessage(channel.fd, this.packet, this.fds);
      if (bytes === -EAGAIN) return;
      if (bytes === -EMSGSIZE) {
        const text = `a control packet larger than ${controlPacketBytesMax} bytes, or with more than ${descriptorsMax} descriptors`;
        this.refuse(channel, "ERR_APP_PROTOCOL", text);
        return;
      }
      if (bytes <= 0) {
        const reason = bytes === 0 ? "its process ended or closed" : errnoName(bytes);
        channel.runtime?.command({ op: "detach", app: channel.id, code: "", reason });
        this.drop(channel);
        return;
      }
      this.take(channel, bytes, Array.from(this.fds.subarray(1, 1 + this.fds[0]!)));
    }
  }

  private take(channel: Channel, bytes: number, fds: number[]): void {
    const request = parse(this.packet.subarray(0, bytes));
    if (typeof request === "string") {
      for (const fd of fds) closeFd(fd);
      this.refuse(channel, "ERR_APP_PROTOCOL", request);
      return;
    }
    if (channel.runtime !== null) {
      channel.runtime.command({ op: "request", app: channel.id, request, fds });
      return;
    }
    for (const fd of fds) closeFd(fd);
    if (request.op !== "hello")
      this.refuse(channel, "ERR_APP_PROTOCOL", "the first packet is no hello");
    else this.hello(channel, request);
  }

  private hello(channel: Channel, hello: AppRequest & { op: "hello" }): void {
    const { appsMax, runtimes } = this.options;
    if (hello.version !== CONTROL_VERSION) {
      const text = `the app speaks version ${hello.version} of the control channel (library ${hello.library}), this daemon ${CONTROL_VERSION} (${version}); update the older one`;
      this.refuse(channel, "ERR_APP_VERSION", text);
      return;
    }
    if (runtimes.threads.reduce((sum, runtime) => sum + runtime.apps, 0) >= appsMax) {
      this.refuse(
        channel,
        "ERR_APP_LIMIT",
        `${appsMax} apps are attached; raise apps in [limits] of koala.toml`,
      );
      return;
    }
    // The kernel gives the lowest number that is free, so this one says how many are in use.
    if (channel.fd + spareDescriptors > this.options.openFilesMax) {
      this.refuse(channel, noDescriptors, this.fullText());
      return;
    }
    if (channel.deadline !== null) clearTimeout(channel.deadline);
    const runtime = runtimes.place(hello.name);
    runtime.apps++;
    channel.runtime = runtime;
    const { name, library, thread, labels = {} } = hello;
    const { pid, uid } = channel;
    const identity: AppIdentity = { name, library, thread, labels, pid, uid };
    // The runtime gets a descriptor of its own, so that neither side closes what the other one uses.
    const controlFd = duplicateFd(channel.fd);
    runtime.command({ op: "attach", app: channel.id, controlFd, identity });
  }

  private refuse(channel: Channel, code: string, message: string): void {
    this.options.log.warn("app refused", {
      app: channel.id,
      pid: channel.pid,
      code,
      reason: message,
    });
    tell(channel, { op: "closed", code, message, reconnect: false });
    // An app that has a runtime is reported by that.
    if (channel.runtime === null) {
      const { id: app, pid, uid } = channel;
      this.options.emitEvent("app", "refused", { app, pid, uid, code, reason: message });
    }
    channel.runtime?.command({ op: "detach", app: channel.id, code, reason: message });
    this.drop(channel);
  }

  private drop(channel: Channel): void {
    if (!this.channels.delete(channel.id)) return;
    if (channel.deadline !== null) clearTimeout(channel.deadline);
    if (channel.runtime !== null) {
      channel.runtime.apps--;
      this.options.runtimes.left(channel.runtime);
    }
    if (channel.watcher >= 0) unwatch(channel.watcher);
    closeFd(channel.fd);
  }
}

function tell({ fd }: Pick<Channel, "fd">, message: DaemonMessage): void {
  sendMessage(fd, Buffer.from(JSON.stringify(message)), null);
}

/** The request, or what is wrong with the packet. */
function parse(bytes: Uint8Array): AppRequest | string {
  let json: unknown;
  try {
    json = JSON.parse(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString());
  } catch {
    return "a control packet that is not JSON";
  }
  const parsed = appRequestSchema.safeParse(json);
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0];
  return `a malformed control packet: ${issue?.path.join(".") ?? ""} ${issue?.message ?? ""}`;
}

/** Listens at a path, replacing a socket that nobody serves any more. */
function listenAt(path: string): number {
  try {
    mkdirSync(dirname(path), { recursive: true, mode: 0o755 });
  } catch (error) {
    throw socketError(path, messageOf(error), error);
  }
  try {
    return unixListen(path, SOCKET_SEQPACKET, 512, 0o666);
  } catch (error) {
    if (!(error instanceof Error && "code" in error && error.code === "EADDRINUSE")) {
      throw socketError(path, messageOf(error), error);
    }
  }
  if (isServed(path)) {
    throw socketError(
      path,
      "another koalad serves it; use another --prefix, or stop that one",
      null,
    );
  }
  try {
    unlinkSync(path);
    return unixListen(path, SOCKET_SEQPACKET, 512, 0o666);
  } catch (error) {
    throw socketError(path, messageOf(error), error);
  }
}

function isServed(path: string): boolean {
  try {
    closeFd(unixConnect(path, SOCKET_SEQPACKET));
    return true;
  } catch (error) {
    // Refused: the socket is what a killed daemon left behind. The queue of one that is busy is full.
    return error instanceof Error && "code" in error && error.code === "EAGAIN";
  }
}

function socketError(path: string, reason: string, cause: unknown): KoalaError {
  return new KoalaError(
    "ERR_DAEMON_SOCKET",
    `can't listen at ${path}: ${reason}`,
    cause === null ? {} : { cause },
  );
}
