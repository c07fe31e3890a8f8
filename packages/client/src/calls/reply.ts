/** What a REPLY slot does on the caller's side, and what the end of the connection does in its stead. */
import { messageOf, originFrom, originName, Status, statusFrom } from "@koala/interface";
import {
  decodeMetadata,
  type MetadataEntry,
  padTo8,
  SlotFlag,
  TRACE_BYTES,
  W_BLOCK_OFFSET,
  W_BLOCK_TAG,
  W_CALL,
  W_DETAILS_LENGTH,
  W_INLINE_LENGTH,
  W_MESSAGE_LENGTH,
  W_METADATA_LENGTH,
  W_SEGMENT_BYTES,
  W_STATUS,
} from "@koala/protocol";
import { type Memory, TracePoint, tracePoints } from "@koala/shm";
import { RpcError } from "../errors/rpc-error.ts";
import { leaseView, makeDisposable } from "../memory/view-lease.ts";
import type { Datapath } from "../mesh/datapath.ts";
import { removeAbortListener } from "./abort-listeners.ts";
import type { EntriesListener } from "./call-options.ts";
import type { PendingCall } from "./pending-calls.ts";

/** Takes the REPLY at `at`: frees the request, settles the caller's promise, gives the block back. */
export function takeReply(datapath: Datapath, words: Int32Array, at: number, head: number): void {
  if (tracePoints !== null) tracePoints.note(TracePoint.REPLY_ARRIVED, words[at + W_CALL]!);
  const call = datapath.pending.find(words[at + W_CALL]!);
  if (call === undefined) {
    datapath.protocolError("REPLY to a call that is not pending");
    return;
  }
  if ((head & (SlotFlag.HOLD << 8)) !== 0) datapath.awaitingRelease++;
  else if (!call.hasBlock) {
    // Nothing comes back with this reply.
  } else if (!datapath.send.free(call.tag, call.offset)) {
    datapath.protocolError("REPLY to a call whose block is not in use");
    return;
  }
  datapath.hasRoom = true;
  if ((head & (SlotFlag.NO_BLOCK << 8)) !== 0) {
    settleBare(datapath, call, words, at);
    return;
  }

  const tag = words[at + W_BLOCK_TAG]!;
  const memory = datapath.receiveMemory(tag);
  if (datapath.ended) return;
  if (memory === undefined) {
    datapath.protocolError("REPLY in an unknown region");
    return;
  }
  const offset = words[at + W_BLOCK_OFFSET]!;
  const inlineLength = words[at + W_INLINE_LENGTH]!;
  const bytes = inlineLength + words[at + W_SEGMENT_BYTES]!;
  if (call.reject === null) {
    finish(datapath, call);
  } else if ((words[at + W_STATUS]! & 0xff) !== Status.OK) {
    settleFailure(datapath, call, words, at, memory);
  } else if (call.stream !== null && call.stream.inbox !== null) {
    const { resolve, onTrailer, stream } = call;
    if (onTrailer !== null) stream.keepTrailers(onTrailer, trailersOf(words, at, memory));
    finish(datapath, call);
    resolve!(undefined);
  } else if (call.view) {
    settleView(datapath, call, words, at, memory);
    return;
  } else {
    const { resolve, reject, onTrailer } = call;
    const codec = call.method!.output;
    finish(datapath, call);
    if (onTrailer !== null) giveEntries(onTrailer, trailersOf(words, at, memory));
    try {
      resolve!(codec.read(memory, offset, inlineLength));
    } catch (cause) {
      reject!(unreadable(cause));
    }
  }
  datapath.out.release(tag, offset, bytes);
  if (tracePoints !== null) tracePoints.note(TracePoint.SETTLED, 0);
}

/** The connection has ended: so do its calls. */
export function failPending(datapath: Datapath, errorOf: () => RpcError): void {
  for (const call of datapath.pending.active()) {
    const { reject } = call;
    call.stream?.inbox?.rescue();
    finish(datapath, call);
    reject?.(errorOf());
  }
}

function finish(datapath: Datapath, call: PendingCall): void {
  if (call.signal !== null) {
    removeAbortListener(call.signal, call.onAbort!);
    call.signal = null;
  }
  call.stream?.end();
  datapath.pending.drop(call);
}

function settleView(
  datapath: Datapath,
  call: PendingCall,
  words: Int32Array,
  at: number,
  memory: Memory,
): void {
  const { resolve, reject, onTrailer } = call;
  const { output: codec, name } = call.method!;
  finish(datapath, call);
  if (onTrailer !== null) giveEntries(onTrailer, trailersOf(words, at, memory));
  const tag = words[at + W_BLOCK_TAG]!;
  const offset = words[at + W_BLOCK_OFFSET]!;
  const inlineLength = words[at + W_INLINE_LENGTH]!;
  const bytes = inlineLength + words[at + W_SEGMENT_BYTES]!;
  try {
    const view = codec.view(memory, offset, inlineLength) as object;
    makeDisposable(view);
    leaseView(view, datapath, name, tag, offset, bytes);
    resolve!(view);
  } catch (cause) {
    datapath.out.release(tag, offset, bytes);
    reject!(unreadable(cause));
  }
}

function settleFailure(
  datapath: Datapath,
  call: PendingCall,
  words: Int32Array,
  at: number,
  memory: Memory,
): void {
  const { reject, onTrailer, stream } = call;
  finish(datapath, call);
  const status = words[at + W_STATUS]!;
  const metadata = trailersOf(words, at, memory);
  const textStart = tailStart(words, at) + padTo8(words[at + W_METADATA_LENGTH]!);
  const textLength = words[at + W_MESSAGE_LENGTH]!;
  const detailsStart = textStart + padTo8(textLength);
  const detailsEnd = detailsStart + words[at + W_DETAILS_LENGTH]!;
  if (onTrailer !== null) {
    if (stream !== null && stream.inbox !== null) stream.keepTrailers(onTrailer, metadata);
    else giveEntries(onTrailer, metadata);
  }
  reject!(
    new RpcError(
      statusFrom(status & 0xff),
      memory.node.toString("utf8", textStart, textStart + textLength),
      {
        origin: originName(originFrom((status >>> 8) & 0xff)),
        details: memory.u8.slice(detailsStart, detailsEnd),
        metadata,
      },
    ),
  );
}

function settleBare(datapath: Datapath, call: PendingCall, words: Int32Array, at: number): void {
  const { resolve, reject, stream } = call;
  const status = words[at + W_STATUS]!;
  finish(datapath, call);
  const code = statusFrom(status & 0xff);
  const origin = originName(originFrom((status >>> 8) & 0xff));
  if (code === Status.OK && stream !== null && stream.inbox !== null) {
    resolve?.(undefined);
  } else if (code === Status.OK) {
    reject?.(new RpcError(Status.INTERNAL, "the reply has no message", { origin }));
  } else {
    reject?.(new RpcError(code, "", { origin }));
  }
}

/** Where metadata begins, behind the message and its trace context. */
function tailStart(words: Int32Array, at: number): number {
  const hasTrace = (words[at]! & (SlotFlag.TRACE << 8)) !== 0;
  return (
    words[at + W_BLOCK_OFFSET]! +
    words[at + W_INLINE_LENGTH]! +
    words[at + W_SEGMENT_BYTES]! +
    (hasTrace ? TRACE_BYTES : 0)
  );
}

/** The trace context of an incoming slot, copied out; null without one. */
export function traceOf(words: Int32Array, at: number, memory: Memory): Uint8Array | null {
  if ((words[at]! & (SlotFlag.TRACE << 8)) === 0) return null;
  const end = tailStart(words, at);
  return memory.u8.slice(end - TRACE_BYTES, end);
}

/** Metadata of an incoming slot, copied out. */
export function trailersOf(words: Int32Array, at: number, memory: Memory): MetadataEntry[] {
  const length = words[at + W_METADATA_LENGTH]!;
  if (length === 0) return [];
  const start = tailStart(words, at);
  return decodeMetadata(memory.u8.subarray(start, start + length)) ?? [];
}

/** Trailers, if there are any, to whoever wants to see them. */
export function giveEntries(listener: EntriesListener, entries: MetadataEntry[]): void {
  if (entries.length > 0) callListener(listener, entries);
}

/** Calls a listener with entries, or none. */
export function callListener(listener: EntriesListener, entries: MetadataEntry[]): void {
  try {
    listener(entries);
  } catch (error) {
    // The user's bug, and not one of the call: it surfaces as an uncaught exception.
    queueMicrotask(() => {
      throw error;
    });
  }
}

function unreadable(cause: unknown): RpcError {
  return new RpcError(Status.INTERNAL, `the reply can't be read: ${messageOf(cause)}`, { cause });
}
