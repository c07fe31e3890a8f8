/** REPLY slots of this app: a result, or a status with its message and details. */
import { Origin, Status } from "@koala/interface";
import {
  encodeMetadata,
  type MetadataEntry,
  SlotFlag,
  SlotKind,
  statusDetailsBytesMax,
  statusMessageBytesMax,
  W_BLOCK_OFFSET,
  W_BLOCK_TAG,
  W_CALL,
  W_DETAILS_LENGTH,
  W_INLINE_LENGTH,
  W_MESSAGE_LENGTH,
  W_METADATA_LENGTH,
  W_SEGMENT_BYTES,
  W_SEGMENT_COUNT,
  W_STATUS,
} from "@koala/protocol";
import { formatBytes, tooLargeError } from "../errors/limit-errors.ts";
import { RpcError, valueError } from "../errors/rpc-error.ts";
import { Written } from "../memory/message-writer.ts";
import type { Datapath } from "../mesh/datapath.ts";
import type { ServerMethod } from "./service-export.ts";

const encoder = new TextEncoder();
const noBytes = new Uint8Array(0);

/**
 * Writes the result of a handler and its REPLY. False when the send heap is full now; throws an
 * `RpcError`, which then is the outcome, when the result can't be sent.
 */
export function answer(
  datapath: Datapath,
  callId: number,
  method: ServerMethod,
  result: unknown,
  trailers: readonly MetadataEntry[],
  isHeld: boolean,
): boolean {
  const { writer } = datapath;
  let tail: Uint8Array[] | null = null;
  let metadataLength = 0;
  if (trailers.length !== 0) {
    const bytes = trailerBytes(datapath, trailers);
    metadataLength = bytes.length;
    tail = [bytes];
  }
  const written = writeResult(datapath, method, result, tail);
  if (written !== Written.OK) {
    const what = `${method.service}/${method.schema.name}: reply`;
    const { messageBytesMax, sendHeapBytesMax } = datapath.limits;
    if (written === Written.TOO_LARGE) throw tooLargeError(what, writer.wanted, messageBytesMax);
    if (datapath.regions.want(writer.wanted)) return false;
    throw new RpcError(
      Status.RESOURCE_EXHAUSTED,
      `${what}: no room for ${formatBytes(writer.wanted)} in the send heap (limits.send_heap = ${formatBytes(sendHeapBytesMax)})`,
    );
  }
  if (writer.segmentCount !== 0) {
    datapath.send.holdSegments(writer.tag, writer.offset, writer.segments);
  }
  datapath.awaitingRelease++;
  writeSlot(datapath, callId, Status.OK, isHeld ? SlotFlag.HOLD : 0, metadataLength, 0, 0);
  return true;
}

/**
 * Writes the REPLY of a call whose messages have gone before. False when the send heap has no room for the
 * trailers now; throws as `answer` does.
 */
export function answerEnd(
  datapath: Datapath,
  callId: number,
  trailers: readonly MetadataEntry[],
  isHeld: boolean,
): boolean {
  const hold = isHeld ? SlotFlag.HOLD : 0;
  if (trailers.length === 0) {
    writeSlot(datapath, callId, Status.OK, hold | SlotFlag.NO_BLOCK, 0, 0, 0);
    return true;
  }
  const bytes = trailerBytes(datapath, trailers);
  const { writer } = datapath;
  if (writer.writeTail([bytes]) !== Written.OK) {
    if (datapath.regions.want(writer.wanted)) return false;
    throw new RpcError(Status.RESOURCE_EXHAUSTED, "no room for trailers in the send heap");
  }
  datapath.awaitingRelease++;
  writeSlot(datapath, callId, Status.OK, hold, bytes.length, 0, 0);
  return true;
}

/** Writes the REPLY of a call that failed; never fails itself. Without room only the status goes. */
export function answerFailure(
  datapath: Datapath,
  callId: number,
  error: RpcError,
  trailers: readonly MetadataEntry[],
  isHeld: boolean,
): void {
  const { writer } = datapath;
  const metadata = failureTrailers(datapath, trailers, error);
  const text = statusText(error.reason);
  const details = error.details.length <= statusDetailsBytesMax ? error.details : noBytes;
  const status = error.status | (Origin.REMOTE_APP << 8);
  const hold = isHeld ? SlotFlag.HOLD : 0;
  const isBare = metadata.length + text.length + details.length === 0;
  if (isBare || writer.writeTail([metadata, text, details]) !== Written.OK) {
    writeSlot(datapath, callId, status, hold | SlotFlag.NO_BLOCK, 0, 0, 0);
    return;
  }
  datapath.awaitingRelease++;
  writeSlot(datapath, callId, status, hold, metadata.length, text.length, details.length);
}

function writeSlot(
  datapath: Datapath,
  callId: number,
  status: number,
  flags: number,
  metadataLength: number,
  textLength: number,
  detailsLength: number,
): void {
  const { out, writer } = datapath;
  const at = out.reserve();
  const { words } = out;
  const hasBlock = (flags & SlotFlag.NO_BLOCK) === 0;
  words[at] = SlotKind.REPLY | ((flags | out.attachRelease(words, at)) << 8);
  words[at + W_CALL] = callId;
  words[at + W_STATUS] = status;
  words[at + W_MESSAGE_LENGTH] = textLength;
  words[at + W_BLOCK_TAG] = hasBlock ? writer.tag : 0;
  words[at + W_BLOCK_OFFSET] = hasBlock ? writer.offset : 0;
  words[at + W_INLINE_LENGTH] = hasBlock ? writer.inlineLength : 0;
  words[at + W_SEGMENT_COUNT] = hasBlock ? writer.segmentCount : 0;
  words[at + W_SEGMENT_BYTES] = hasBlock ? writer.segmentBytes : 0;
  words[at + W_METADATA_LENGTH] = metadataLength;
  words[at + W_DETAILS_LENGTH] = detailsLength;
  datapath.schedule();
}

function writeResult(
  datapath: Datapath,
  method: ServerMethod,
  result: unknown,
  tail: Uint8Array[] | null,
): Written {
  try {
    const message = method.complete(result);
    return datapath.writer.write(method.output, message, method.guess, tail);
  } catch (cause) {
    throw valueError(Status.INTERNAL, `${method.service}/${method.schema.name}: reply`, cause);
  }
}

function trailerBytes(datapath: Datapath, trailers: readonly MetadataEntry[]): Uint8Array {
  let bytes: Uint8Array;
  try {
    bytes = encodeMetadata(trailers);
  } catch (cause) {
    throw valueError(Status.INTERNAL, "responseMetadata", cause);
  }
  const { metadataBytesMax } = datapath.limits;
  if (bytes.length <= metadataBytesMax) return bytes;
  throw new RpcError(
    Status.INTERNAL,
    `responseMetadata of ${formatBytes(bytes.length)} is larger than limits.metadata = ${formatBytes(metadataBytesMax)} of the daemon`,
  );
}

/** UTF-8, cut between characters when it is longer than a status message may be. */
function statusText(reason: string): Uint8Array {
  const bytes = new Uint8Array(Math.min(statusMessageBytesMax, reason.length * 3));
  return bytes.subarray(0, encoder.encodeInto(reason, bytes).written);
}

/** Trailers of the call and of the error together; none rather than a second failure. */
function failureTrailers(
  datapath: Datapath,
  trailers: readonly MetadataEntry[],
  error: RpcError,
): Uint8Array {
  if (trailers.length === 0 && error.metadata.length === 0) return noBytes;
  try {
    return trailerBytes(datapath, [...trailers, ...error.metadata]);
  } catch {
    // The status matters more than its trailers, which are the reason why there is no room for them.
    return noBytes;
  }
}
