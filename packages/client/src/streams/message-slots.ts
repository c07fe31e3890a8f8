/** MESSAGE and CREDIT slots that come in: which stream they are for, and what is done with late ones. */
import {
  type MetadataEntry,
  SlotFlag,
  streamCreditMax,
  W_BLOCK_OFFSET,
  W_BLOCK_TAG,
  W_CALL,
  W_COST,
  W_COUNT,
  W_INLINE_LENGTH,
  W_METADATA_LENGTH,
  W_SEGMENT_BYTES,
} from "@koala/protocol";
import { callListener, trailersOf } from "../calls/reply.ts";
import type { Datapath } from "../mesh/datapath.ts";
import type { StreamInbox } from "./stream-inbox.ts";
import type { StreamOutlet } from "./stream-outlet.ts";

/** The two directions of a call, as slots find them. */
interface CallStream {
  readonly inbox: StreamInbox | null;
  readonly outlet: StreamOutlet | null;
}

/** Takes the MESSAGE at `at`: messages for a stream, its end, or the headers of a response. */
export function takeMessage(datapath: Datapath, words: Int32Array, at: number, head: number): void {
  const id = words[at + W_CALL]!;
  const isResponse = (head & (SlotFlag.FROM_CALLEE << 8)) !== 0;
  if ((head & (SlotFlag.HEADERS << 8)) !== 0) {
    takeHeaders(datapath, words, at, head, id);
    return;
  }
  const stream = streamOf(datapath, id, isResponse);
  if ((head & (SlotFlag.NO_BLOCK << 8)) === 0) {
    const tag = words[at + W_BLOCK_TAG]!;
    if (datapath.receiveMemory(tag) === undefined) {
      if (!datapath.ended) datapath.protocolError("MESSAGE in an unknown region");
      return;
    }
    const inbox = stream?.inbox ?? null;
    if (inbox === null) {
      // The call has ended here, and the daemon had not heard of it.
      const bytes = words[at + W_INLINE_LENGTH]! + words[at + W_SEGMENT_BYTES]!;
      datapath.out.release(tag, words[at + W_BLOCK_OFFSET]!, bytes);
    } else {
      if (isResponse) closeHeaders(datapath, id);
      datapath.countMessages(words[at + W_COUNT]!);
      inbox.take(words, at);
    }
  }
  if ((head & (SlotFlag.END << 8)) !== 0) stream?.inbox?.finish(null, null);
}

/** Takes the CREDIT at `at`: more may be sent. */
export function takeCredit(datapath: Datapath, words: Int32Array, at: number, head: number): void {
  const bytes = words[at + W_COST]!;
  if (bytes <= 0 || bytes > streamCreditMax) {
    datapath.protocolError(`CREDIT of ${bytes} bytes`);
    return;
  }
  const isFromCallee = (head & (SlotFlag.FROM_CALLEE << 8)) !== 0;
  streamOf(datapath, words[at + W_CALL]!, isFromCallee)?.outlet?.grant(bytes);
}

/** What comes from the callee is for a call of this app, what comes from a caller for one that it serves. */
function streamOf(datapath: Datapath, id: number, isFromCallee: boolean): CallStream | null {
  const call = isFromCallee ? datapath.pending.find(id) : datapath.incoming.get(id);
  return call?.stream ?? null;
}

function takeHeaders(
  datapath: Datapath,
  words: Int32Array,
  at: number,
  head: number,
  id: number,
): void {
  if ((head & (SlotFlag.NO_BLOCK << 8)) !== 0) {
    giveHeaders(datapath, id, []);
    return;
  }
  const tag = words[at + W_BLOCK_TAG]!;
  const memory = datapath.receiveMemory(tag);
  if (memory === undefined) {
    if (!datapath.ended) datapath.protocolError("MESSAGE in an unknown region");
    return;
  }
  giveHeaders(datapath, id, trailersOf(words, at, memory));
  datapath.out.release(tag, words[at + W_BLOCK_OFFSET]!, words[at + W_METADATA_LENGTH]!);
}

/** The headers of a response, once. They may be empty: the response has begun. */
function giveHeaders(datapath: Datapath, id: number, entries: MetadataEntry[]): void {
  const call = datapath.pending.find(id);
  if (call === undefined || call.onHeader === null) return;
  const { onHeader } = call;
  call.onHeader = null;
  callListener(onHeader, entries);
}

/** Behind the first message there are none. */
function closeHeaders(datapath: Datapath, id: number): void {
  const call = datapath.pending.find(id);
  if (call !== undefined) call.onHeader = null;
}
