/** What the two ends of a queue do. Each checks that it gets every message once and in order. */
import { monotonicMicros } from "@koala/native";
import type { QueueEnd } from "./queue-end.ts";
import {
  ackMessages,
  lastWord,
  type QueueOutcome,
  type QueueTask,
  windowMessages,
} from "./queue-plan.ts";

const samplesMax = 1 << 16;
/** Longer than any round: the other end has failed. */
const silenceMicros = 10_000_000;

/** Words stay below this: none of them is -1 or the last one. */
const wordMask = 0x3fffffff;

/** The next message, however long it takes. */
function next(end: QueueEnd): number {
  let word = end.take();
  if (word !== -1) return word;
  const giveUpAt = monotonicMicros() + silenceMicros;
  for (; word === -1 && monotonicMicros() < giveUpAt; word = end.take()) end.wait();
  return word;
}

/** One message at a time, there and back. */
function makeRoundTrips(end: QueueEnd, seconds: number): QueueOutcome {
  const micros: number[] = [];
  let messages = 0;
  let wrong = 0;
  next(end);
  const began = monotonicMicros();
  const until = began + seconds * 1e6;
  let now = began;
  while (now < until) {
    end.put(messages & wordMask);
    end.flush();
    const answer = next(end);
    messages++;
    if (answer !== (messages & wordMask)) wrong++;
    const after = monotonicMicros();
    if (micros.length < samplesMax) micros.push(after - now);
    now = after;
    if (answer === -1) break;
  }
  end.put(lastWord);
  end.flush();
  micros.sort((a, b) => a - b);
  return { messages, seconds: (now - began) / 1e6, wrong, micros };
}

/** Takes what comes, until the last message, and says after each `step` of them how many there were. */
function takeAll(end: QueueEnd, step: number): QueueOutcome {
  // The reader says that it is there: what it takes to start is nobody's time.
  end.put(0);
  end.flush();
  let messages = 0;
  let wrong = 0;
  for (let word = next(end); word !== lastWord && word !== -1; word = next(end)) {
    if (word !== (messages & wordMask)) wrong++;
    messages++;
    if (messages % step !== 0) continue;
    end.put(messages & wordMask);
    end.flush();
  }
  return { messages, seconds: 0, wrong, micros: [] };
}

/** As many messages as there is room for; the reader says how far it is. */
function sendAll(end: QueueEnd, seconds: number): QueueOutcome {
  let sent = 0;
  let acked = 0;
  let wrong = 0;
  next(end);
  const began = monotonicMicros();
  const until = began + seconds * 1e6;
  while (monotonicMicros() < until) {
    while (sent - acked < windowMessages) end.put(sent++ & wordMask);
    end.flush();
    const word = next(end);
    if (word === -1) break;
    acked += ackMessages;
    if (word !== (acked & wordMask)) wrong++;
  }
  // The reader answers for all of them, but may be in the middle of a step.
  const whole = sent - (sent % ackMessages);
  for (let word = 0; acked < whole && word !== -1; acked += ackMessages) word = next(end);
  const took = (monotonicMicros() - began) / 1e6;
  end.put(lastWord);
  end.flush();
  return { messages: sent, seconds: took, wrong, micros: [] };
}

/** Does what the task says at its end of the queue. */
export function exchange({ end, mode, seconds }: QueueTask, queue: QueueEnd): QueueOutcome {
  if (mode === "round-trip") {
    return end === 0 ? makeRoundTrips(queue, seconds) : takeAll(queue, 1);
  }
  return end === 0 ? sendAll(queue, seconds) : takeAll(queue, ackMessages);
}
