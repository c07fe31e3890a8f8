/** All runtimes of the daemon, asked together. */
import { KoalaError } from "@koala/interface";
import type { PolicyCommand, PolicyNotice, PolicyStep, PolicyStepAnswer } from "./runtime-plan.ts";

/** A runtime that has not carried out a step by then hangs. */
const deadlineMs = 10_000;

/** A runtime as far as policies go. */
export interface PolicyRuntime {
  readonly index: number;
  command(command: PolicyCommand): void;
}

/** The answer of one runtime. */
export interface RuntimeAnswer extends PolicyStepAnswer {
  readonly runtime: number;
}

interface Asked {
  readonly runtime: number;
  readonly answer: (answer: PolicyStepAnswer | undefined) => void;
}

export class RuntimeGroup {
  private readonly runtimes: () => readonly PolicyRuntime[];
  private readonly asked = new Map<number, Asked>();
  private seq = 0;

  constructor(runtimes: () => readonly PolicyRuntime[]) {
    this.runtimes = runtimes;
  }

  /** Those that are there now. */
  get all(): readonly PolicyRuntime[] {
    return this.runtimes();
  }

  /**
   * Asks all runtimes, at the same time. A runtime that ends meanwhile is left out: its successor begins
   * with what is in force then.
   *
   * @throws KoalaError `ERR_POLICY_RUNTIME` when one does not answer in time
   */
  async ask(stepOf: (runtime: number) => PolicyStep): Promise<RuntimeAnswer[]> {
    const answers = await Promise.all(
      this.runtimes().map(async (runtime) => {
        const answer = await this.askOne(runtime, stepOf(runtime.index));
        return answer === undefined ? [] : [{ ...answer, runtime: runtime.index }];
      }),
    );
    return answers.flat();
  }

  /** Asks one of them; undefined when it has ended. */
  askOne(runtime: PolicyRuntime, step: PolicyStep): Promise<PolicyStepAnswer | undefined> {
    const seq = ++this.seq;
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        this.asked.delete(seq);
        const text = `runtime ${runtime.index} has not carried out "${step.name}" within ${deadlineMs} ms`;
        reject(new KoalaError("ERR_POLICY_RUNTIME", `${text}; see koalactl runtimes`));
      }, deadlineMs);
      this.asked.set(seq, {
        runtime: runtime.index,
        answer: (answer) => {
          clearTimeout(timer);
          this.asked.delete(seq);
          resolve(answer);
        },
      });
      runtime.command({ op: "policies", seq, step });
    });
  }

  onAnswer(notice: PolicyNotice & { op: "policies" }): void {
    this.asked.get(notice.seq)?.answer(notice.answer);
  }

  /** The runtime has ended: whoever waits for it goes on without it. */
  lost(runtime: number): void {
    for (const asked of [...this.asked.values()]) {
      if (asked.runtime === runtime) asked.answer(undefined);
    }
  }

  /** All have ended. */
  lostAll(): void {
    for (const asked of [...this.asked.values()]) asked.answer(undefined);
  }
}
