/**
 * Control parts of policies that are detached while calls are still on their way through them, and that want
 * to hear what `stop` of the instances says when the last of those has ended.
 */
import type { AreaLog } from "../log/index.ts";
import { type Attachment, closeControl } from "./attachment.ts";

interface Waiting {
  readonly attachment: Attachment;
  /** Runtimes whose instance has not ended. */
  readonly runtimes: Set<number>;
}

export class LastWords {
  private readonly log: AreaLog;
  private readonly waiting = new Map<number, Waiting>();
  /** Instances that have ended since the change began, `runtime/id`. */
  private readonly ended = new Set<string>();

  constructor(log: AreaLog) {
    this.log = log;
  }

  /** A change begins: whatever ends from now on may be asked for by `keep`. */
  begin(): void {
    this.ended.clear();
  }

  /**
   * Keeps the control part of a policy that was detached until its instances in these runtimes have ended;
   * false when it need not be kept.
   */
  keep(attachment: Attachment, runtimes: readonly number[]): boolean {
    const { id, control } = attachment;
    const left = runtimes.filter((runtime) => !this.ended.has(`${runtime}/${id}`));
    if (control?.outlivesCalls !== true || left.length === 0) return false;
    this.waiting.set(id, { attachment, runtimes: new Set(left) });
    return true;
  }

  find(id: number): Attachment | undefined {
    return this.waiting.get(id)?.attachment;
  }

  /** An instance has ended, and has said what it had to say. */
  onEnded(id: number, runtime: number): void {
    this.ended.add(`${runtime}/${id}`);
    this.drop(id, runtime);
  }

  /** The runtime is gone, and all that was in it. */
  lost(runtime: number): void {
    for (const id of [...this.waiting.keys()]) this.drop(id, runtime);
  }

  /** Nobody says anything any more. */
  async close(): Promise<void> {
    const all = [...this.waiting.values()];
    this.waiting.clear();
    await Promise.all(all.map(({ attachment }) => closeControl(attachment, this.log)));
  }

  private drop(id: number, runtime: number): void {
    const found = this.waiting.get(id);
    if (found === undefined || !found.runtimes.delete(runtime) || found.runtimes.size > 0) return;
    this.waiting.delete(id);
    // Never rejects: what it throws is in the log.
    void closeControl(found.attachment, this.log);
  }
}
