/** A runtime as the control plane sees it: a worker thread, commands to it, notices from it. */
import { MessageChannel, type MessagePort, Worker } from "node:worker_threads";
import { closeFd, doorbellCreate, doorbellRing } from "@koala/native";
import type { RootLog } from "../log/index.ts";
import type { Command, Notice, WorkerData } from "../worker/commands.ts";
import type { RuntimeStatus } from "../worker/status.ts";

const statusDeadlineMs = 2000;
/** A thread that has not stopped by then is in an endless loop, and is cut off. */
const stopDeadlineMs = 5000;

export interface RuntimeThreadOptions {
  data: Omit<WorkerData, "doorbell">;
  log: RootLog;
  onNotice: (notice: Notice) => void;
  /** The thread has ended without being told to. */
  onCrash: (error: Error | undefined) => void;
}

export class RuntimeThread {
  readonly index: number;
  /** Apps that are attached to it. */
  apps = 0;
  private readonly worker: Worker;
  private readonly port: MessagePort;
  private readonly doorbell: number = doorbellCreate();
  private readonly asked = new Map<number, (status: RuntimeStatus) => void>();
  private seq = 0;
  private readonly ended: Promise<void>;
  private hasEnded = false;

  constructor({ data, log, onNotice, onCrash }: RuntimeThreadOptions) {
    this.index = data.index;
    const { port1, port2 } = new MessageChannel();
    this.port = port1;
    this.worker = new Worker(new URL("../worker/runtime-worker.js", import.meta.url), {
      workerData: { ...data, doorbell: this.doorbell, port: port2 },
      transferList: [port2],
      name: `koala-runtime-${data.index}`,
    });
    port1.on("message", (message: Notice) => {
      if (log.receiveForwarded(message)) return;
      if (message.op === "status") this.answer(message.seq, message.status);
      else onNotice(message);
    });
    let failure: Error | undefined;
    this.worker.on("error", (error) => {
      failure = error;
    });
    this.ended = new Promise((resolve) => {
      this.worker.on("exit", (code) => {
        this.hasEnded = true;
        closeFd(this.doorbell);
        port1.close();
        resolve();
        if (code !== 0 || failure !== undefined) onCrash(failure);
      });
    });
  }

  command(command: Command): void {
    if (this.hasEnded) return;
    this.port.postMessage(command);
    doorbellRing(this.doorbell);
  }

  /** Asks the thread about itself; rejects when it does not answer in time. */
  status(): Promise<RuntimeStatus> {
    const seq = ++this.seq;
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        this.asked.delete(seq);
        reject(new Error(`runtime ${this.index} does not answer`));
      }, statusDeadlineMs);
      this.asked.set(seq, (status) => {
        clearTimeout(timer);
        resolve(status);
      });
      this.command({ op: "status", seq });
    });
  }

  /** Tells the thread to stop and waits until it has. */
  async stop(): Promise<void> {
    this.command({ op: "stop" });
    const timer = setTimeout(() => void this.worker.terminate(), stopDeadlineMs);
    await this.ended;
    clearTimeout(timer);
  }

  private answer(seq: number, status: RuntimeStatus): void {
    this.asked.get(seq)?.(status);
    this.asked.delete(seq);
  }
}
