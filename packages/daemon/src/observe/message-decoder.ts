/** From copied bytes to messages, and to JSON that may be shown. */
import { type JsonValue, type Message, toJson } from "@bufbuild/protobuf";
import { messageOf } from "@koala/interface";
import { BATCH_RECORD_BYTES, type TappedMessage } from "@koala/protocol";
import type { MessageCodec } from "@koala/schema";
import { openMemory } from "@koala/shm";
import { Body } from "../datapath/body.ts";
import { checkMessage } from "../datapath/translator.ts";
import type { RawMessage } from "./observe-orders.ts";
import { redactJson } from "./redaction.ts";
import type { BookedSchema } from "./schema-book.ts";

/** A message, or why there is none. */
export interface Decoded {
  readonly raw: RawMessage;
  readonly booked: BookedSchema | undefined;
  /** Undefined where `problem` says why. */
  readonly message?: Message;
  /** Its bytes, of those of its block. */
  readonly bytes: number;
  readonly problem: string;
}

const scratch = new Body();

/** The messages of a copy: one, or those of a block of a stream. */
export function decode(raw: RawMessage, booked: BookedSchema | undefined): Decoded[] {
  const none = (problem: string): Decoded[] => [{ raw, booked, bytes: raw.bytes, problem }];
  if (raw.content === undefined) return none("too large, or too much at a time, to be copied");
  const codec = booked === undefined ? undefined : codecOf(raw, booked);
  if (codec === undefined) return none("its schema is not known any more");
  const memory = openMemory(raw.content.buffer);
  scratch.clear();
  scratch.inlineLength = raw.inlineLength;
  scratch.count = raw.count;
  scratch.segmentCount = raw.segmentLengths.length;
  scratch.segmentLengths.set(raw.segmentLengths);
  // Nobody has looked at it: the app may even have written to it while it was copied.
  const wrong = checkMessage(codec, memory, 0, scratch);
  if (wrong !== "") return none(wrong);
  const found = (message: unknown, bytes: number): Decoded => {
    return { raw, booked, message: message as Message, bytes, problem: "" };
  };
  if (raw.count === 1) return [found(codec.read(memory, 0, raw.inlineLength), raw.bytes)];
  const messages: Decoded[] = [];
  for (let at = 0; at < raw.inlineLength; ) {
    const length = memory.i32[at >> 2]!;
    at += BATCH_RECORD_BYTES;
    messages.push(found(codec.read(memory, at, length), length));
    at += length;
  }
  return messages;
}

/** As JSON, without what must not be shown. */
export function show({ raw, booked, message, bytes, problem }: Decoded): TappedMessage {
  if (message === undefined || booked === undefined) return { bytes, problem };
  const { registry } = booked;
  const { input, output } = booked.schema.methods[raw.method]!.desc;
  const desc = raw.isReply ? output : input;
  try {
    const json: JsonValue = toJson(desc, message, { registry });
    return { bytes, json: redactJson(json, desc, booked) };
  } catch (error) {
    return { bytes, problem: `can't be shown as JSON: ${messageOf(error)}` };
  }
}

function codecOf(raw: RawMessage, { schema }: BookedSchema): MessageCodec | undefined {
  const method = schema.methods[raw.method];
  return raw.isReply ? method?.output : method?.input;
}
