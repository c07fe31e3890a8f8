/** Asks all runtimes about their calls, at the same time. Main thread. */
import { KoalaError } from "@koala/interface";
import type {
  ObserveAnswer,
  ObserveCommand,
  ObserveNotice,
  ObserveStep,
} from "./observe-orders.ts";

const answerMs = 5000;

/** A runtime as far as it is asked. */
export interface AskedRuntime {
  readonly index: number;
  command(command: ObserveCommand): void;
}

/** The answer of one runtime. */
export interface RuntimeAnswer extends ObserveAnswer {
  readonly runtime: number;
}

interface Asked {
  readonly runtime: number;
  readonly answer: (answer: ObserveAnswer | undefined) => void;
}

export class RuntimeAsker {
  private readonly runtimes: () => readonly AskedRuntime[];
  private readonly asked = new Map<number, Asked>();
  private seq = 0;

  constructor(runtimes: () => readonly AskedRuntime[]) {
    this.runtimes = runtimes;
  }

  /**
   * Asks those that are there now; one that ends meanwhile is left out.
   *
   * @throws KoalaError `ERR_OBSERVE_RUNTIME` when one does not answer in time
   */
  async ask(step: ObserveStep): Promise<RuntimeAnswer[]> {
    const answers = await Promise.all(
      this.runtimes().map(async (runtime) => {
        const answer = await this.askOne(runtime, step);
        return answer === undefined ? [] : [{ ...answer, runtime: runtime.index }];
      }),
    );
    return answers.flat();
  }

  /** A runtime has answered. */
  take({ seq, answer }: ObserveNotice & { op: "observe" }): void {
    this.asked.get(seq)?.answer(answer);
  }

  /** A runtime has ended: nobody waits for it any more. */
  lost(runtime: number): void {
    for (const asked of [...this.asked.values()]) {
      if (asked.runtime === runtime) asked.answer(undefined);
    }
  }

  /** Asks one of them; undefined when it has ended. */
  askOne(runtime: AskedRuntime, step: ObserveStep): Promise<ObserveAnswer | undefined> {
    const seq = ++this.seq;
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        this.asked.delete(seq);
        const text = `runtime ${runtime.index} has not answered "${step.name}" within ${answerMs} ms; see koalactl runtimes`;
        reject(new KoalaError("ERR_OBSERVE_RUNTIME", text));
      }, answerMs);
      this.asked.set(seq, {
        runtime: runtime.index,
        answer: (answer) => {
          clearTimeout(timer);
          this.asked.delete(seq);
          resolve(answer);
        },
      });
      runtime.command({ op: "observe", seq, step });
    });
  }
}
