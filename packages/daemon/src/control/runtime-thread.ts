/** A runtime as the control plane sees it: a worker thread, commands to it, notices from it. */
import { MessageChannel, type MessagePort, Worker } from "node:worker_threads";
import { closeFd, doorbellCreate, doorbellRing } from "@koala/native";
import { HEARTBEAT_BYTES, HeartbeatReader } from "@koala/runtime";
import type { RootLog } from "../log/index.ts";
import { DescriptorLedger } from "../runtimes/descriptor-ledger.ts";
import type { Command, Notice, WorkerData } from "../worker/commands.ts";
import type { RuntimeStatus } from "../worker/status.ts";

const statusDeadlineMs = 2000;
/** A thread that has not stopped by then is in an endless loop, and is cut off. */
const stopDeadlineMs = 5000;

/** The program of the thread. */
const workerUrl = new URL("../worker/runtime-worker.js", import.meta.url);

export interface RuntimeThreadOptions {
  data: Omit<WorkerData, "doorbell" | "heartbeat" | "descriptors">;
  log: RootLog;
  onNotice: (thread: RuntimeThread, notice: Notice) => void;
  /** The thread has ended without being told to; what it had open is closed. */
  onCrash: (thread: RuntimeThread, reason: string) => void;
}

export class RuntimeThread {
  readonly index: number;
  /** Apps that are attached to it. */
  apps = 0;
  /** `starting`: calls of apps and links wait until it is opened. */
  state: "starting" | "running" | "stopping" | "ended" = "starting";
  /** It belongs to one app, as long as that is there. */
  isDedicated = false;
  /** Its siblings know it. */
  isReady = false;
  hasDrained = false;
  /** How often a thread of this index was made anew, and why the last time. */
  restarts = 0;
  lastFailure = "";
  readonly startedAt: Date = new Date();
  /** Resolves when it has no open call after a `drain`, or has ended. */
  readonly drained: Promise<void>;
  readonly cpus: readonly number[];
  readonly heartbeat: HeartbeatReader;
  /** What it has said of itself last. */
  lastStatus: RuntimeStatus | undefined;
  readonly descriptors: DescriptorLedger = new DescriptorLedger();
  private readonly worker: Worker;
  private readonly port: MessagePort;
  private readonly doorbell: number = doorbellCreate();
  private readonly asked = new Map<number, { resolve(s: RuntimeStatus): void; reject(): void }>();
  /** Commands for which it must be open. */
  private readonly held: Command[] = [];
  private seq = 0;
  private failure = "";
  private onDrained: () => void = () => {};
  private readonly ended: Promise<void>;

  constructor({ data, log, onNotice, onCrash }: RuntimeThreadOptions) {
    this.index = data.index;
    this.cpus = data.cpus;
    const heartbeat = new SharedArrayBuffer(HEARTBEAT_BYTES);
    this.heartbeat = new HeartbeatReader(heartbeat);
    const { port1, port2 } = new MessageChannel();
    this.port = port1;
    for (const { end } of data.siblings) this.own([end.doorbell, end.peerDoorbell]);
    const { doorbell } = this;
    const descriptors = this.descriptors.bits;
    this.worker = new Worker(workerUrl, {
      workerData: { ...data, doorbell, heartbeat, descriptors, port: port2 },
      transferList: [port2],
      name: `koala-runtime-${data.index}`,
    });
    port1.on("message", (message: Notice) => {
      if (log.receiveForwarded(message)) return;
      if (message.op === "status") this.answer(message.seq, message.status);
      else onNotice(this, message);
    });
    this.worker.on("error", (error) => {
      if (this.failure === "") this.failure = error.message;
    });
    this.drained = new Promise((resolve) => {
      this.onDrained = resolve;
    });
    this.ended = new Promise((resolve) => {
      this.worker.on("exit", () => {
        const wasTold = this.state === "stopping" && this.failure === "";
        this.state = "ended";
        this.cleanUp();
        resolve();
        if (!wasTold) onCrash(this, this.failure === "" ? "it ended" : this.failure);
      });
    });
  }

  /** Has it carried out. Descriptors of the command belong to the thread from now on. */
  command(command: Command): void {
    if (this.state === "ended") {
      for (const fd of descriptorsOf(command)) closeFd(fd);
      return;
    }
    if (this.state === "starting" && needsOpen(command)) this.held.push(command);
    else this.send(command);
  }

  /** All that must be there before the first call is: from now on it serves apps and links. */
  open(): void {
    if (this.state !== "starting") return;
    this.state = "running";
    this.send({ op: "open" });
    for (const command of this.held.splice(0)) this.send(command);
  }

  /** Takes nobody any more, and lets its calls end: see `drained`. */
  retire(): void {
    if (this.state !== "running") return;
    this.state = "stopping";
    this.send({ op: "drain" });
  }

  markDrained(): void {
    this.hasDrained = true;
    this.onDrained();
  }

  /** Asks the thread about itself; rejects when it does not answer in time. */
  status(deadlineMs: number = statusDeadlineMs): Promise<RuntimeStatus> {
    const seq = ++this.seq;
    return new Promise((resolve, reject) => {
      const fail = (): void => {
        clearTimeout(timer);
        this.asked.delete(seq);
        reject(new Error(`runtime ${this.index} does not answer`));
      };
      const timer = setTimeout(fail, deadlineMs);
      this.asked.set(seq, {
        reject: fail,
        resolve: (status) => {
          clearTimeout(timer);
          resolve(status);
        },
      });
      if (this.state === "ended") fail();
      else this.command({ op: "status", seq });
    });
  }

  /** Tells the thread to stop and waits until it has. */
  async stop(): Promise<void> {
    await this.end({ op: "stop" });
  }

  /** The same for one that was handed over: nobody is told. */
  async leave(): Promise<void> {
    await this.end({ op: "leave" });
  }

  private async end(command: Command): Promise<void> {
    if (this.state !== "ended") {
      this.state = "stopping";
      this.send(command);
    }
    const timer = setTimeout(() => this.cutOff(), stopDeadlineMs);
    await this.ended;
    clearTimeout(timer);
  }

  /** Ends the thread in the middle of whatever it does: for one that hangs. It counts as a crash. */
  fail(reason: string): void {
    if (this.failure === "") this.failure = reason;
    this.cutOff();
  }

  private cutOff(): void {
    void this.worker.terminate();
    // A thread that sleeps notices when it wakes up.
    if (this.state !== "ended") doorbellRing(this.doorbell);
  }

  private send(command: Command): void {
    this.own(descriptorsOf(command));
    this.port.postMessage(command);
    doorbellRing(this.doorbell);
  }

  private own(fds: readonly number[]): void {
    for (const fd of fds) this.descriptors.add(fd);
  }

  private cleanUp(): void {
    closeFd(this.doorbell);
    this.port.close();
    for (const command of this.held.splice(0)) {
      for (const fd of descriptorsOf(command)) closeFd(fd);
    }
    this.descriptors.closeAll();
    this.onDrained();
    for (const { reject } of [...this.asked.values()]) reject();
  }

  private answer(seq: number, status: RuntimeStatus): void {
    this.lastStatus = status;
    this.asked.get(seq)?.resolve(status);
    this.asked.delete(seq);
  }
}

/** Commands of apps and peers: nothing of theirs is served before the thread is complete. */
function needsOpen({ op }: Command): boolean {
  return op === "attach" || op === "request" || op === "detach" || op === "link";
}

function descriptorsOf(command: Command): readonly number[] {
  switch (command.op) {
    case "attach":
      return [command.controlFd];
    case "request":
      return command.fds;
    case "link":
      return [command.fd];
    case "restore":
      return command.fds;
    case "sibling":
      return [command.sibling.end.doorbell, command.sibling.end.peerDoorbell];
    default:
      return [];
  }
}
