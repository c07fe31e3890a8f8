/** The exchange over a `MessagePort`, as programs of Node do it: by events, a structured clone a message. */
import type { MessagePort } from "node:worker_threads";
import { monotonicMicros } from "@koala/native";
import {
  ackMessages,
  lastWord,
  messageWords,
  type QueueMode,
  type QueueOutcome,
  type QueueTask,
  windowMessages,
} from "./queue-plan.ts";

/** Does what `exchange.ts` does over queues that block. */
export function exchangeByEvents(
  { end, mode, seconds }: QueueTask,
  port: MessagePort,
): Promise<QueueOutcome> {
  return end === 0 ? write(port, mode, seconds) : read(port, mode);
}

function post(port: MessagePort, word: number): void {
  port.postMessage(new Int32Array(messageWords).fill(word));
}

function write(port: MessagePort, mode: QueueMode, seconds: number): Promise<QueueOutcome> {
  const isRoundTrip = mode === "round-trip";
  const step = isRoundTrip ? 1 : ackMessages;
  const ahead = isRoundTrip ? 1 : windowMessages;
  const micros: number[] = [];
  let sent = 0;
  let answered = 0;
  let wrong = 0;
  let began = 0;
  let last = 0;
  const fill = (): void => {
    while (sent - answered < ahead) post(port, sent++);
  };
  return new Promise((resolve) => {
    port.on("message", (message: Int32Array) => {
      const now = monotonicMicros();
      if (began === 0) {
        // The reader is there.
        began = now;
        last = now;
        fill();
        return;
      }
      answered += step;
      if (message[0] !== (isRoundTrip ? answered - 1 : answered)) wrong++;
      if (isRoundTrip) micros.push(now - last);
      last = now;
      if (now < began + seconds * 1e6) {
        fill();
        return;
      }
      // The reader answers for whole steps only.
      if (answered < sent - (sent % step)) return;
      post(port, lastWord);
      port.close();
      micros.sort((a, b) => a - b);
      resolve({ messages: sent, seconds: (now - began) / 1e6, wrong, micros });
    });
  });
}

function read(port: MessagePort, mode: QueueMode): Promise<QueueOutcome> {
  let messages = 0;
  let wrong = 0;
  return new Promise((resolve) => {
    port.on("message", ([word]: Int32Array) => {
      if (word === lastWord) {
        port.close();
        resolve({ messages, seconds: 0, wrong, micros: [] });
        return;
      }
      if (word !== messages) wrong++;
      messages++;
      if (mode === "round-trip") post(port, word!);
      else if (messages % ackMessages === 0) post(port, messages);
    });
    post(port, 0);
  });
}
