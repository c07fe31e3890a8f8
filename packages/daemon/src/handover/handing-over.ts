/**
 * The daemon that leaves: starts the next one, has its runtimes stand still and write down what they are,
 * and hands everything over. Until the next one has taken the state, all of it can be called off.
 */
import { KoalaError, messageOf } from "@koala/interface";
import { closeFd, monotonicMicros } from "@koala/native";
import type { DaemonUpgradeAnswer, MovedParts, UpgradeStep } from "@koala/protocol";
import type { AppServerState } from "../control/app-server.ts";
import type { EventBusState } from "../events/event-bus.ts";
import type { CarriedModule } from "../modules/index.ts";
import type { SharedPolicyMemory } from "../policies/policy-manager.ts";
import { version } from "../version.ts";
import { type MainState, swapMainDescriptors } from "./main-state.ts";
import { RuntimeAnswers } from "./runtime-answers.ts";
import type { HandoverCommand, HandoverNotice, HandoverResult } from "./runtime-commands.ts";
import { daemonStateVersion, type SchemaState } from "./runtime-state.ts";
import { isTaken, type StateFile, writeStateFile } from "./state-file.ts";
import { launchOf, Successor } from "./successor.ts";

const prepareDeadlineMs = 30_000;
const freezeDeadlineMs = 5_000;
const saveDeadlineMs = 5_000;
const restoreDeadlineMs = 15_000;
const resumeDeadlineMs = 15_000;

type Saved = Extract<HandoverResult, { step: "saved" }>;

/** What the handover needs of the daemon. */
export interface HandedOver {
  readonly prefix: string;
  readonly instance: string;
  readonly nextRuntime: number;
  /** The port for other daemons; -1 when there is none. */
  readonly listener: number;
  readonly admin: number;
  /** The lock of the folder. */
  readonly lock: number;
  readonly policyCount: number;
  readonly runtimeCount: number;
  command(command: HandoverCommand): void;
  /** Nothing comes in any more: neither apps, nor what they say, nor peers, nor admins. */
  pause(): void;
  unpause(): void;
  apps(): AppServerState;
  /** Code that the next daemon is to go on with. */
  modules(): CarriedModule[];
  /** What the instances of policies share. */
  policies(): SharedPolicyMemory[];
  /** Events wait from here on, until `resumeEvents` or the end. */
  saveEvents(): EventBusState;
  resumeEvents(): void;
  /** A line for the log and for those who follow events. */
  note(step: string, fields: Record<string, string | number>): void;
}

/** Ends an upgrade with the state taken: this daemon must leave. */
export interface HandoverOutcome {
  readonly answer: DaemonUpgradeAnswer;
  /** The next daemon serves now, or did before it died: this one has nothing left to serve with. */
  readonly hasLeft: boolean;
}

export class HandingOver {
  private readonly daemon: HandedOver;
  private readonly answers = new RuntimeAnswers();
  private readonly steps: UpgradeStep[] = [];
  private stepBegan = monotonicMicros();

  constructor(daemon: HandedOver) {
    this.daemon = daemon;
  }

  take(notice: HandoverNotice): void {
    this.answers.take(notice);
  }

  /** The daemon can't go through with it: a runtime has failed, or it is told to stop. */
  fail(reason: string): void {
    this.answers.fail(reason);
  }

  /** Throws when this daemon goes on as before. */
  async run(program: string | undefined, isDryRun: boolean): Promise<HandoverOutcome> {
    const successor = new Successor(launchOf(program));
    try {
      await successor.hello();
      this.done("start");
      await this.prepare(successor);
      this.done("prepare");
      return isDryRun ? await this.rehearse(successor) : await this.handOver(successor);
    } catch (error) {
      const reason = messageOf(error);
      this.daemon.note("called off", { program: successor.launch.program, reason });
      await successor.end(reason.slice(0, 8000));
      throw error;
    }
  }

  private async prepare(successor: Successor): Promise<void> {
    const { instance, runtimeCount } = this.daemon;
    this.daemon.command({ op: "schemas" });
    const known = await this.answers.all("schemas", runtimeCount, freezeDeadlineMs);
    const file = writeStateFile(
      "koala-schemas",
      uniqueSchemas(known.flatMap((one) => one.schemas)),
    );
    const code = writeStateFile("koala-modules", this.daemon.modules());
    const message = { op: "prepare", runtimes: runtimeCount, instance } as const;
    try {
      await successor.tell(message, [file.fd, code.fd]);
    } finally {
      closeFd(file.fd);
      closeFd(code.fd);
    }
    await successor.hear("prepared", prepareDeadlineMs);
  }

  /** Says what would move; for the time of that, the daemon stands still. */
  private async rehearse(successor: Successor): Promise<HandoverOutcome> {
    const { saved, fds, state } = await this.save();
    await this.thaw();
    closeFd(state.fd);
    await successor.end("this was a rehearsal");
    const moved = this.movedParts(saved, fds.length, state.bytes);
    return { answer: this.answerOf(successor, moved, 0, true), hasLeft: false };
  }

  private async handOver(successor: Successor): Promise<HandoverOutcome> {
    const { saved, fds, state, frozenMicros } = await this.save();
    try {
      await successor.tellDescriptors(fds);
      await successor.tell({ op: "state" }, [state.fd]);
      this.done("send");
      await successor.hear("restored", restoreDeadlineMs);
      this.done("restore");
    } catch (error) {
      closeFd(state.fd);
      // The new daemon must have ended, or know that it is not needed, before this one goes on.
      await successor.end(messageOf(error));
      await this.thaw();
      throw error;
    }
    let resumedMicros: number;
    try {
      await successor.tell({ op: "commit" });
      resumedMicros = (await successor.hear("running", resumeDeadlineMs)).message.resumedMicros;
    } catch (error) {
      await successor.end("it has not said that it runs");
      const taken = isTaken(state.fd);
      closeFd(state.fd);
      if (!taken) {
        await this.thaw();
        throw error;
      }
      const reason = messageOf(error);
      throw new HandoverFatal(reason);
    }
    this.done("resume");
    successor.leave();
    closeFd(state.fd);
    const moved = this.movedParts(saved, fds.length, state.bytes);
    const pauseMs = (resumedMicros - frozenMicros) / 1000;
    return { answer: this.answerOf(successor, moved, pauseMs, false), hasLeft: true };
  }

  /** Has everything stand still, and writes it down. */
  private async save(): Promise<{
    saved: Saved[];
    fds: number[];
    state: StateFile;
    frozenMicros: number;
  }> {
    const { daemon } = this;
    const count = daemon.runtimeCount;
    daemon.pause();
    const frozenMicros = monotonicMicros();
    try {
      daemon.command({ op: "freeze" });
      await this.answers.all("frozen", count, freezeDeadlineMs);
      this.done("freeze");
      daemon.command({ op: "save" });
      const saved = await this.answers.all("saved", count, saveDeadlineMs);
      const main: MainState = {
        version: daemonStateVersion,
        prefix: daemon.prefix,
        instance: daemon.instance,
        nextRuntime: daemon.nextRuntime,
        apps: daemon.apps(),
        policies: daemon.policies(),
        events: daemon.saveEvents(),
        admin: daemon.admin,
        listener: daemon.listener,
        runtimes: saved.map(({ fd, fds }) => ({ fd, fds })),
        lock: daemon.lock,
      };
      const fds: number[] = [];
      const state = writeStateFile(
        "koala-state",
        swapMainDescriptors(main, (fd) => fds.push(fd) - 1),
      );
      this.done("save");
      return { saved, fds, state, frozenMicros };
    } catch (error) {
      await this.thaw();
      throw error;
    }
  }

  private async thaw(): Promise<void> {
    this.answers.reset();
    this.daemon.command({ op: "thaw" });
    this.daemon.unpause();
    this.daemon.resumeEvents();
    try {
      await this.answers.all("thawed", this.daemon.runtimeCount, resumeDeadlineMs);
    } catch (error) {
      // One that never stood still does not answer; whatever ails it, its watchdog sees it.
      this.daemon.note("thaw", { reason: messageOf(error) });
    }
  }

  private movedParts(saved: readonly Saved[], descriptors: number, bytes: number): MovedParts {
    const sum = (part: (saved: Saved) => number): number =>
      saved.reduce((total, one) => total + part(one), 0);
    return {
      runtimes: saved.length,
      apps: sum(({ summary }) => summary.apps),
      links: sum(({ summary }) => summary.links),
      calls: sum(({ summary }) => summary.calls),
      messages: sum(({ summary }) => summary.messages),
      descriptors,
      policies: this.daemon.policyCount,
      bytes: bytes + sum((one) => one.bytes),
    };
  }

  private answerOf(
    successor: Successor,
    moved: MovedParts,
    pauseMs: number,
    dryRun: boolean,
  ): DaemonUpgradeAnswer {
    return {
      dryRun,
      program: successor.launch.program,
      from: { version, pid: process.pid },
      to: { version: successor.version, pid: successor.pid },
      moved,
      pauseMs,
      callsInFlight: moved.calls,
      failed: 0,
      steps: this.steps,
    };
  }

  private done(step: string): void {
    const now = monotonicMicros();
    const ms = (now - this.stepBegan) / 1000;
    this.stepBegan = now;
    this.steps.push({ step, ms });
    this.daemon.note(step, { ms: Math.round(ms) });
  }
}

/** Each one once: runtimes mostly know the same. */
function uniqueSchemas(schemas: readonly SchemaState[]): SchemaState[] {
  const unique = new Map(schemas.map((schema) => [`${schema.service}#${schema.hash}`, schema]));
  return [...unique.values()];
}

/** Of `HandoverFatal`, which `instanceof` can't tell from other errors of the project. */
export const handoverFatalCode = "ERR_HANDOVER_FATAL";

/** The next daemon has taken the state and died: nobody can go on with it. */
export class HandoverFatal extends KoalaError {
  constructor(reason: string) {
    super(
      handoverFatalCode,
      `the new daemon died after it had taken over (${reason}); this one has nothing left to serve with and ends, apps come back when a daemon is started`,
    );
  }
}
