/** The process that leaves, as the one that takes over sees it. */
import { KoalaError } from "@koala/interface";
import { closeFd } from "@koala/native";
import type { CarriedModule } from "../modules/index.ts";
import { version } from "../version.ts";
import { expected, HandoverChannel, HandoverLost } from "./handover-channel.ts";
import { type FromNew, type FromOld, fromOldSchema, handoverVersion } from "./handover-message.ts";
import { type MainState, swapMainDescriptors } from "./main-state.ts";
import { daemonStateVersion } from "./runtime-state.ts";
import { markTaken, readStateFile } from "./state-file.ts";

/** An old daemon that says nothing for so long is stuck, and this one is not needed. */
const deadlineMs = 60_000;

/** What is known before the old daemon stands still. */
export interface Preparation {
  readonly runtimes: number;
  readonly instance: string;
  /** State file of the schemas; the caller's. */
  readonly schemas: number;
  /** Code that the old daemon runs and that was not built into it. */
  readonly modules: readonly CarriedModule[];
}

export class Predecessor {
  private readonly channel: HandoverChannel<FromOld, FromNew>;
  private stateFd = -1;

  /** `fd`: this end of the channel, as it was inherited. */
  constructor(fd: number) {
    this.channel = new HandoverChannel(fd, fromOldSchema);
  }

  /** Says who this is, and hears what to prepare. */
  async begin(): Promise<Preparation> {
    const who = { protocol: handoverVersion, state: daemonStateVersion, pid: process.pid };
    await this.channel.send({ op: "hello", version, ...who });
    const { message, fds } = expected(await this.channel.receive(deadlineMs), "prepare");
    const [schemas = -1, code = -1] = fds;
    const modules = readStateFile(code) as CarriedModule[];
    closeFd(code);
    return { runtimes: message.runtimes, instance: message.instance, schemas, modules };
  }

  /** Says that all is prepared, and waits for the state. */
  async state(): Promise<MainState> {
    await this.channel.send({ op: "prepared" });
    const fds: number[] = [];
    for (;;) {
      const packet = await this.channel.receive(deadlineMs);
      if (packet.message.op === "descriptors") {
        fds.push(...packet.fds);
        continue;
      }
      this.stateFd = expected(packet, "state").fds[0]!;
      const saved = readStateFile(this.stateFd) as MainState;
      return swapMainDescriptors(saved, (at) => fds[at]!);
    }
  }

  /**
   * Says that all is restored, and waits for the word to go on. An old daemon that has died is word
   * enough: its state is here. Throws when the old daemon goes on itself.
   */
  async commit(): Promise<void> {
    try {
      await this.channel.send({ op: "restored", failed: 0 });
      expected(await this.channel.receive(deadlineMs), "commit");
    } catch (error) {
      if (!(error instanceof HandoverLost && error.hasEnded)) throw error;
    }
    markTaken(this.stateFd);
    closeFd(this.stateFd);
  }

  /** Says that this one serves now. */
  async running(resumedMicros: number): Promise<void> {
    try {
      await this.channel.send({ op: "running", resumedMicros });
    } catch {
      // It has died meanwhile; nothing depends on it any more.
    }
    this.channel.close();
  }

  /** Says why this one can't take over. */
  async refuse(error: unknown): Promise<void> {
    const code = error instanceof KoalaError ? error.code : "ERR_HANDOVER_FAILED";
    const reason = error instanceof Error ? error.message : String(error);
    try {
      await this.channel.send({ op: "refused", code, reason: reason.slice(0, 8000) });
    } catch {
      // It has gone on, or ended: nobody is there to be told.
    }
    this.channel.close();
  }
}
