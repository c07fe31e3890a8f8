/** Collects what all runtimes answer to one step of a handover. Main thread. */
import { KoalaError } from "@koala/interface";
import type { HandoverNotice, HandoverResult } from "./runtime-commands.ts";

type Answer<Step> = Extract<HandoverResult, { step: Step }>;

export class RuntimeAnswers {
  private readonly answers = new Map<number, HandoverNotice>();
  private wake: (() => void) | undefined;
  private failure: KoalaError | undefined;

  take(notice: HandoverNotice): void {
    this.answers.set(notice.runtime, notice);
    this.wake?.();
  }

  /** Forgets what was answered before. */
  reset(): void {
    this.answers.clear();
  }

  /** A runtime has ended, or the daemon stops. */
  fail(reason: string): void {
    this.failure = new KoalaError("ERR_HANDOVER_RUNTIME", reason);
    this.wake?.();
  }

  /** Waits until all of `count` runtimes have said `step`, in the order of their indexes; rejects when one can't. */
  async all<Step extends HandoverResult["step"]>(
    step: Step,
    count: number,
    deadlineMs: number,
  ): Promise<Answer<Step>[]> {
    let isLate = false;
    const timer = setTimeout(() => {
      isLate = true;
      this.wake?.();
    }, deadlineMs);
    try {
      for (;;) {
        const found = [...this.answers.values()].sort((a, b) => a.runtime - b.runtime);
        const failed = found.find((notice) => notice.step === "failed");
        if (failed?.step === "failed") {
          throw new KoalaError(failed.code, `runtime ${failed.runtime}: ${failed.reason}`);
        }
        if (this.failure !== undefined) throw this.failure;
        const fitting = found.filter((notice) => notice.step === step);
        if (fitting.length === count) return fitting as unknown[] as Answer<Step>[];
        if (isLate) {
          const text = `${count - fitting.length} of ${count} runtimes are not "${step}" after ${deadlineMs} ms`;
          throw new KoalaError("ERR_HANDOVER_RUNTIME", text);
        }
        await new Promise<void>((resolve) => {
          this.wake = resolve;
        });
      }
    } finally {
      clearTimeout(timer);
    }
  }
}
