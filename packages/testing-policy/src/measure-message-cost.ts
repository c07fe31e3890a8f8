/** What a policy costs a message of a stream, without everything around it. */
import { monotonicMicros, threadCpuMicros } from "@koala/native";
import { listensToStream, Passage, runStreamMessage } from "@koala/policy/engine";
import { PolicyHarness } from "./harness.ts";
import type { CallOptions, HarnessOptions } from "./harness-options.ts";
import type { MessageBox } from "./message-box.ts";

export interface MessageCostOptions extends HarnessOptions {
  readonly method: string;
  /** Who sends; the client when not given. */
  readonly from?: "client" | "server";
  /** Fields of the message. */
  readonly message?: object;
  readonly call?: CallOptions & { readonly request?: object };
}

export interface MessageCost {
  /**
   * Nanoseconds of this thread's processor time that one message spends in the policy and in the engine
   * around it; the median of the batches.
   */
  readonly nanosPerMessage: number;
  /** Of the fastest and the slowest batch. */
  readonly range: readonly [number, number];
}

const batches = 15;
const messagesPerBatch = 20_000;
/** Messages that come at the same moment of `ctx.nowMs()`, as in one round of a busy runtime. */
const messagesPerRound = 100;

/**
 * Measures a message that the policy lets pass, in a call that stays open, with a clock that runs. That the
 * message is copied and checked before a policy reads it is not in it.
 */
export function measureMessageCost(options: MessageCostOptions): MessageCost {
  const harness = new PolicyHarness({ ...options, nowMicros: monotonicMicros });
  const { call, from = "client", message = {} } = options;
  const stream = harness.stream(options.method, call);
  const first = from === "client" ? stream.send(message) : stream.receive(message);
  if (first.outcome !== "passed") throw new Error(`the measured message is ${first.outcome}`);
  const source = new Repeated(from, first.box);
  const { live } = stream.call;
  const nanos: number[] = [];
  for (let batch = 0; batch < batches; batch++) {
    const beginMicros = threadCpuMicros();
    for (let i = 0; i < messagesPerBatch; i++) {
      if (i % messagesPerRound === 0) harness.clock.nowMs += 1;
      if (!listensToStream(live)) continue;
      if (runStreamMessage(live, source) !== Passage.PASSED) throw new Error("it did not pass");
      source.index++;
    }
    nanos.push(((threadCpuMicros() - beginMicros) * 1000) / messagesPerBatch);
    // Timers that the policy has set, outside of what is measured.
    harness.advance(1);
    harness.notices.length = 0;
  }
  if (harness.failure !== "") throw new Error(harness.failure);
  nanos.sort((a, b) => a - b);
  return { nanosPerMessage: nanos[batches >> 1]!, range: [nanos[0]!, nanos[batches - 1]!] };
}

/** The same message again and again. */
class Repeated {
  readonly from: "client" | "server";
  readonly bytes: number;
  index = 0;
  private readonly box: MessageBox;

  constructor(from: "client" | "server", box: MessageBox) {
    this.from = from;
    this.box = box;
    this.bytes = box.bytes;
  }

  read(): unknown {
    return this.box.read();
  }

  replace(message: unknown): void {
    this.box.replace(message);
  }
}
