/**
 * A runtime's part in a handover. It stands still between two commands of the main thread, in the middle
 * of a round: nothing is polled, no timer fires. What apps and peers do meanwhile waits in shared memory
 * and in the kernel.
 */
import { type MessagePort, receiveMessageOnPort } from "node:worker_threads";
import { KoalaError, messageOf } from "@koala/interface";
import { closeFd, monotonicMicros } from "@koala/native";
import type { Runtime } from "@koala/runtime";
import type { SchemaStore } from "../datapath/schema-store.ts";
import type { Command, Notice } from "../worker/commands.ts";
import { EpollWaiter } from "../worker/epoll-waiter.ts";
import type { HandoverCommand, HandoverResult } from "./runtime-commands.ts";
import {
  type RuntimeState,
  type SchemaState,
  summaryOf,
  swapDescriptors,
} from "./runtime-state.ts";
import { readStateFile, writeStateFile } from "./state-file.ts";

export interface WorkerHandoverOptions {
  index: number;
  port: MessagePort;
  /** Rung after each command. */
  doorbell: number;
  runtime: Runtime;
  schemas: SchemaStore;
  notify: (notice: Notice) => void;
  /** Obeys a command that came while the runtime stood still. */
  obey: (command: Command) => void;
  /** The runtime as it is. */
  save: () => RuntimeState;
  /** It goes on itself, after `save` or without. */
  goOn: () => void;
  /** Makes everything that the state says; throws when it can't. */
  restore: (state: RuntimeState) => void;
  /** What was restored goes to work. */
  resume: () => void;
}

export class WorkerHandover {
  private readonly options: WorkerHandoverOptions;
  private readonly prepared: SchemaState[] = [];
  private isRestored = false;
  /** The state that was written down last, and that the main thread has passed on. */
  private savedFd = -1;

  constructor(options: WorkerHandoverOptions) {
    this.options = options;
  }

  /** Obeys a command of a handover. `freeze` and `restore` return only after `thaw`. */
  obey(command: HandoverCommand): void {
    switch (command.op) {
      case "freeze":
        this.options.runtime.flushAll();
        this.answer({ step: "frozen" });
        this.standStill();
        return;
      case "schemas":
        this.answer({ step: "schemas", schemas: schemaStates(this.options.schemas) });
        return;
      case "leave":
        leave();
        break;
      case "prepare":
        this.attempt(() => {
          this.prepare(readStateFile(command.fd) as SchemaState[]);
          return { step: "prepared" };
        });
        return;
      case "restore":
        this.attempt(() => this.restore(command.fd, command.fds));
        this.standStill();
        return;
      case "save":
      case "thaw":
        // Only where a runtime stands still; one that failed to restore is ended instead.
        return;
    }
  }

  private standStill(): void {
    const { port, doorbell } = this.options;
    const waiter = new EpollWaiter();
    waiter.addDoorbell(doorbell, () => {});
    const later: Command[] = [];
    for (let isStill = true; isStill; ) {
      const message = receiveMessageOnPort(port) as { message: Command } | undefined;
      if (message === undefined) waiter.wait(-1);
      else if (message.message.op === "thaw") isStill = false;
      else if (message.message.op === "leave") leave();
      else if (message.message.op === "save") this.attempt(() => this.save());
      else {
        later.push(message.message);
        // A daemon that gives up must be able to end.
        if (message.message.op === "stop") isStill = false;
      }
    }
    waiter.remove(doorbell);
    waiter.close();
    this.thaw();
    for (const command of later) this.options.obey(command);
  }

  private thaw(): void {
    if (this.isRestored) this.options.resume();
    else this.options.goOn();
    if (this.savedFd >= 0) closeFd(this.savedFd);
    this.savedFd = -1;
    this.isRestored = false;
    this.answer({ step: "thawed", atMicros: monotonicMicros() });
  }

  private save(): HandoverResult {
    const fds: number[] = [];
    const state = swapDescriptors(this.options.save(), (fd) => fds.push(fd) - 1);
    const { fd, bytes } = writeStateFile(`koala-state-${this.options.index}`, state);
    this.savedFd = fd;
    return { step: "saved", fd, bytes, fds, summary: summaryOf(state, fds.length) };
  }

  private restore(fd: number, fds: readonly number[]): HandoverResult {
    const saved = readStateFile(fd) as RuntimeState;
    const state = swapDescriptors(saved, (at) => fds[at]!);
    const { schemas } = this.options;
    this.prepare(state.schemas);
    this.options.restore(state);
    // Whatever is in use has its own users by now.
    for (const { service, hash } of this.prepared.splice(0)) {
      const schema = schemas.acquire(service, hash)!;
      schemas.release(schema);
      schemas.release(schema);
    }
    this.isRestored = true;
    return { step: "restored" };
  }

  /** Has the schemas, with one user more each, so that none is dropped before its users are there. */
  private prepare(states: readonly SchemaState[]): void {
    for (const state of states) {
      this.options.schemas.compile(state.descriptorSet, state.service, state.hash);
      this.prepared.push(state);
    }
  }

  private attempt(step: () => HandoverResult): void {
    try {
      this.answer(step());
    } catch (error) {
      const code = error instanceof KoalaError ? error.code : "ERR_HANDOVER_STATE";
      const reason = error instanceof KoalaError ? error.message : stackOf(error);
      this.answer({ step: "failed", code, reason });
    }
  }

  private answer(result: HandoverResult): void {
    this.options.notify({ op: "handover", runtime: this.options.index, ...result });
  }
}

/** The schemas of a store, to be compiled elsewhere. */
export function schemaStates(schemas: SchemaStore): SchemaState[] {
  return schemas.all().map(({ typeName, hash, descriptorSet }) => {
    return { service: typeName, hash, descriptorSet };
  });
}

/** Ends the thread where it is. What it has open and mapped goes with it; nobody is told. */
function leave(): void {
  process.exit(0);
}

function stackOf(error: unknown): string {
  return error instanceof Error ? (error.stack ?? error.message) : messageOf(error);
}
