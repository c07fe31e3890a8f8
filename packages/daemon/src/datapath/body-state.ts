/** A message with its bytes, in plain data: parked copies and messages that are coming in. */
import { type Memory, openMemory } from "@koala/shm";
import { Body } from "./body.ts";

export interface BodyState {
  trusted: boolean;
  inlineLength: number;
  segmentLengths: number[];
  segmentBytes: number;
  /** Of messages of a streaming call, see `Body`. */
  count: number;
  cost: number;
  streamFlags: number;
  isSeen: boolean;
  hasTrace: boolean;
  metadataLength: number;
  messageLength: number;
  detailsLength: number;
  /** Inline part and segments, padded; possibly only the first part of them. */
  bytes: Uint8Array;
  /** Trace context, metadata, status message, details; padded. */
  tail: Uint8Array;
}

/**
 * The state of a message of the daemon's own, of which inline part and segments lie in one piece.
 * `received`: how much of that is there; all of it unless given.
 */
export function saveBody(body: Body, received: number = body.bodyBytes()): BodyState {
  const tail = openMemory(new ArrayBuffer(Math.max(8, body.tailBytes())));
  body.copyTail(tail, 0);
  return {
    trusted: body.trusted,
    inlineLength: body.inlineLength,
    segmentLengths: [...body.segmentLengths.subarray(0, body.segmentCount)],
    segmentBytes: body.segmentBytes,
    count: body.count,
    cost: body.cost,
    streamFlags: body.streamFlags,
    isSeen: body.isSeen,
    hasTrace: body.hasTrace,
    metadataLength: body.metadataLength,
    messageLength: body.messageLength,
    detailsLength: body.detailsLength,
    bytes: body.memory.u8.slice(body.offset, body.offset + received),
    tail: tail.u8.slice(0, body.tailBytes()),
  };
}

/** A record of its own, in private memory, with room for all of its bytes as far as they are there. */
export function loadBody(state: BodyState): Body {
  const body = new Body();
  body.clear();
  body.trusted = state.trusted;
  body.inlineLength = state.inlineLength;
  body.segmentCount = state.segmentLengths.length;
  body.segmentLengths.set(state.segmentLengths);
  body.segmentBytes = state.segmentBytes;
  body.count = state.count;
  body.cost = state.cost;
  body.streamFlags = state.streamFlags;
  body.isSeen = state.isSeen;
  body.hasTrace = state.hasTrace;
  body.metadataLength = state.metadataLength;
  body.messageLength = state.messageLength;
  body.detailsLength = state.detailsLength;
  body.place(memoryOf(state.bytes), 0);
  body.placeTail(memoryOf(state.tail), 0);
  return body;
}

/** Memory is used by words as well, so it is a multiple of 8 long. */
function memoryOf(bytes: Uint8Array): Memory {
  const memory = openMemory(new ArrayBuffer(Math.max(8, (bytes.length + 7) & ~7)));
  memory.u8.set(bytes);
  return memory;
}
