/** Messages of streams that are nothing but what the engine sees of them. */
import type { PolicyDefinition } from "../definition.ts";
import { malformedMessage, type StreamMessageSource } from "./call-source.ts";
import { type Passage, runStreamMessage } from "./chain.ts";
import type { Journal } from "./fake-host-helper.test.ts";
import type { LiveCall } from "./live-call.ts";

export interface FakeMessage extends StreamMessageSource {
  /** As it goes on. */
  value: unknown;
}

/** A message of the client, or of the server. */
export function createMessage(
  from: "client" | "server",
  value: unknown,
  options: { index?: number; isMalformed?: boolean } = {},
): FakeMessage {
  const message: FakeMessage = {
    from,
    index: options.index ?? 0,
    bytes: 8,
    value,
    read: () => {
      if (options.isMalformed === true) throw malformedMessage;
      return message.value;
    },
    replace: (next) => {
      message.value = next;
    },
  };
  return message;
}

/** Runs a message through the policies of a call: what came of it, and the message as it goes on. */
export function pass(
  call: LiveCall,
  from: "client" | "server",
  value: unknown = "",
): [Passage, unknown] {
  const message = createMessage(from, value);
  const passage = runStreamMessage(call, message);
  return [passage, message.value];
}

/** A policy that writes down the messages that it sees. */
export function reader(journal: Journal, name: string): Partial<PolicyDefinition> {
  return {
    onStreamMessage: (message) => {
      journal.push(`${name} ${message.from} ${message.index} ${String(message.value)}`);
      return undefined;
    },
  };
}
