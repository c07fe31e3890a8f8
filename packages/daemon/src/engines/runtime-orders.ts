/** Orders to runtimes that are answered. Main thread. */
import { KoalaError } from "@koala/interface";
import type { EngineAnswer, EngineCommand, EngineNotice, EngineOrder } from "./engine-orders.ts";

/** A runtime, as far as it takes orders. */
export interface OrderTaker {
  readonly index: number;
  command(command: EngineCommand): void;
}

/** What a runtime answers to an order that it could carry out. */
export type AnswerTo<Order> = Extract<EngineAnswer, { order: Order }>;

export class RuntimeOrders {
  private readonly waiting = new Map<number, (answer: EngineAnswer) => void>();
  private seq = 0;

  /** A runtime has answered. */
  take({ seq, op: _, ...answer }: EngineNotice): void {
    this.waiting.get(seq)?.(answer);
  }

  /**
   * Has a runtime do something. Rejects with a KoalaError: its own when it could not, ERR_ENGINE_RUNTIME when
   * it does not answer in time, perhaps because it has failed.
   */
  give<Order extends EngineOrder>(
    runtime: OrderTaker,
    order: Order,
    deadlineMs: number,
  ): Promise<AnswerTo<Order["order"]>> {
    const seq = ++this.seq;
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        this.waiting.delete(seq);
        const text = `runtime ${runtime.index} has not answered "${order.order}" within ${deadlineMs} ms`;
        reject(new KoalaError("ERR_ENGINE_RUNTIME", text));
      }, deadlineMs);
      this.waiting.set(seq, (answer) => {
        clearTimeout(timer);
        this.waiting.delete(seq);
        if (answer.order === "failed") {
          reject(new KoalaError(answer.code, `runtime ${runtime.index}: ${answer.reason}`));
        } else resolve(answer as AnswerTo<Order["order"]>);
      });
      runtime.command({ op: "engines", seq, ...order });
    });
  }
}
