/**
 * The headers of a response, which go before its first message: a MESSAGE slot without a message, whose
 * metadata they are.
 */
import { Status } from "@koala/interface";
import {
  encodeMetadata,
  type MetadataEntry,
  SlotFlag,
  SlotKind,
  W_BLOCK_OFFSET,
  W_BLOCK_TAG,
  W_CALL,
  W_COST,
  W_COUNT,
  W_INLINE_LENGTH,
  W_METADATA_LENGTH,
  W_SEGMENT_BYTES,
  W_SEGMENT_COUNT,
} from "@koala/protocol";
import { formatBytes } from "../errors/limit-errors.ts";
import { RpcError, valueError } from "../errors/rpc-error.ts";
import { Written } from "../memory/message-writer.ts";
import type { Datapath } from "../mesh/datapath.ts";

/**
 * Sends the headers of an incoming call's response. False when the send heap is full now; throws an
 * `RpcError` for what is no header, and for too many of them.
 */
export function sendHeaders(
  datapath: Datapath,
  callId: number,
  entries: readonly MetadataEntry[],
): boolean {
  const { out, writer, regions, limits } = datapath;
  const bytes = headerBytes(entries, limits.metadataBytesMax);
  if (writer.writeTail([bytes]) !== Written.OK) {
    if (regions.want(writer.wanted)) return false;
    throw new RpcError(
      Status.RESOURCE_EXHAUSTED,
      `response headers: no room for ${formatBytes(writer.wanted)} in the send heap (limits.send_heap = ${formatBytes(limits.sendHeapBytesMax)})`,
    );
  }
  datapath.awaitingRelease++;
  const at = out.reserve();
  const { words } = out;
  const flags = SlotFlag.HEADERS | SlotFlag.FROM_CALLEE | out.attachRelease(words, at);
  words[at] = SlotKind.MESSAGE | (flags << 8);
  words[at + W_CALL] = callId;
  words[at + 2] = 0;
  words[at + W_COST] = 0;
  words[at + W_BLOCK_TAG] = writer.tag;
  words[at + W_BLOCK_OFFSET] = writer.offset;
  words[at + W_INLINE_LENGTH] = 0;
  words[at + W_SEGMENT_COUNT] = 0;
  words[at + W_SEGMENT_BYTES] = 0;
  words[at + W_METADATA_LENGTH] = bytes.length;
  words[at + W_COUNT] = 0;
  datapath.schedule();
  return true;
}

/** The same for headers without an entry: the caller sees that the response has begun. */
export function sendEmptyHeaders(datapath: Datapath, callId: number): void {
  const { out } = datapath;
  const at = out.reserve();
  const { words } = out;
  const flags =
    SlotFlag.HEADERS | SlotFlag.FROM_CALLEE | SlotFlag.NO_BLOCK | out.attachRelease(words, at);
  words[at] = SlotKind.MESSAGE | (flags << 8);
  words[at + W_CALL] = callId;
  words[at + 2] = 0;
  words[at + W_COST] = 0;
  words[at + W_BLOCK_TAG] = 0;
  words[at + W_BLOCK_OFFSET] = 0;
  words[at + W_INLINE_LENGTH] = 0;
  words[at + W_SEGMENT_COUNT] = 0;
  words[at + W_SEGMENT_BYTES] = 0;
  words[at + W_METADATA_LENGTH] = 0;
  words[at + W_COUNT] = 0;
  datapath.schedule();
}

function headerBytes(entries: readonly MetadataEntry[], bytesMax: number): Uint8Array {
  let bytes: Uint8Array;
  try {
    bytes = encodeMetadata(entries);
  } catch (cause) {
    throw valueError(Status.INTERNAL, "response headers", cause);
  }
  if (bytes.length <= bytesMax) return bytes;
  throw new RpcError(
    Status.INTERNAL,
    `response headers of ${formatBytes(bytes.length)} are larger than limits.metadata = ${formatBytes(bytesMax)} of the daemon`,
  );
}
