/** Checks the long header of a frame and describes the message behind it. */
import {
  F_DETAILS_LENGTH,
  F_INLINE,
  F_KIND,
  F_LENGTH,
  F_LENGTHS,
  F_MESSAGE_LENGTH,
  F_SEGMENT_BYTES,
  FrameFlag,
  LONG_HEADER_BYTES,
  padTo8,
  SEGMENTS_MAX,
  statusDetailsBytesMax,
  statusMessageBytesMax,
} from "@koala/protocol";
import type { Memory } from "@koala/shm";
import type { Body } from "../datapath/body.ts";

/**
 * Fills `body` from the frame at `at`, which is complete and lies in private memory. Inline part and
 * segments are placed behind the head, whether they are there or follow in chunks. Returns "" or what is
 * wrong with the frame.
 */
export function readMessageFrame(
  memory: Memory,
  at: number,
  isReply: boolean,
  metadataBytesMax: number,
  body: Body,
): string {
  const words = memory.i32;
  const w = at >> 2;
  const inlineLength = words[w + F_INLINE]!;
  const segmentBytes = words[w + F_SEGMENT_BYTES]!;
  const metadataLength = words[w + F_LENGTHS]! & 0xffff;
  const segmentCount = words[w + F_LENGTHS]! >>> 16;
  const messageLength = isReply ? words[w + F_MESSAGE_LENGTH]! : 0;
  const detailsLength = isReply ? words[w + F_DETAILS_LENGTH]! : 0;
  if (inlineLength < 0 || inlineLength % 8 !== 0 || segmentBytes < 0 || segmentBytes % 8 !== 0) {
    return `a message of ${inlineLength} inline and ${segmentBytes} segment bytes`;
  }
  if (segmentCount > SEGMENTS_MAX) return `a message of ${segmentCount} segments`;
  if (metadataLength > metadataBytesMax) return `${metadataLength} bytes of metadata`;
  if (messageLength < 0 || messageLength > statusMessageBytesMax) {
    return `a status message of ${messageLength} bytes`;
  }
  if (detailsLength < 0 || detailsLength > statusDetailsBytesMax) {
    return `status details of ${detailsLength} bytes`;
  }
  body.clear();
  body.inlineLength = inlineLength;
  body.segmentCount = segmentCount;
  body.segmentBytes = segmentBytes;
  body.hasTrace = (words[w + F_KIND]! & (FrameFlag.TRACE << 8)) !== 0;
  body.metadataLength = metadataLength;
  body.messageLength = messageLength;
  body.detailsLength = detailsLength;
  const tableBytes = padTo8(4 * segmentCount);
  const headBytes = LONG_HEADER_BYTES + tableBytes + body.tailBytes();
  const bodyBytes = words[w + F_LENGTH]! - headBytes;
  if (bodyBytes !== 0 && bodyBytes !== body.bodyBytes()) {
    return `a frame with ${bodyBytes} of ${body.bodyBytes()} bytes of its message, expected all or none`;
  }
  let total = 0;
  for (let i = 0; i < segmentCount; i++) {
    const length = words[w + LONG_HEADER_BYTES / 4 + i]!;
    if (length < 0 || length > segmentBytes) return `a segment of ${length} bytes`;
    body.segmentLengths[i] = length;
    total += padTo8(length);
  }
  if (total !== segmentBytes)
    return `${segmentBytes} segment bytes announced, ${total} in the table`;
  body.place(memory, at + headBytes);
  body.placeTail(memory, at + LONG_HEADER_BYTES + tableBytes);
  return "";
}
