import assert from "node:assert/strict";
import { test } from "node:test";
import { SEGMENTS_MAX, TRACE_BYTES } from "../app/slot.ts";
import * as frame from "./frame.ts";

const { FrameFlag, FrameType } = frame;

test("types have numbers of their own that fit into a byte", () => {
  const types: number[] = Object.values(FrameType);
  assert.equal(new Set(types).size, types.length);
  assert.ok(
    types.every((type) => type > 0 && type < 256),
    "zeros are no frame",
  );
});

test("flags are bits of one byte, and do not overlap", () => {
  const flags: number[] = Object.values(FrameFlag);
  assert.ok(flags.every((flag) => flag > 0 && flag < 256 && (flag & (flag - 1)) === 0));
  assert.equal(new Set(flags).size, flags.length);
});

test("headers have a length, a kind and a stream at the same place, and nothing twice", () => {
  const short = [frame.F_LENGTH, frame.F_KIND, frame.F_STREAM, frame.F_VALUE];
  assert.deepEqual(short, [0, 1, 2, 3]);
  assert.equal(frame.SHORT_HEADER_BYTES, 4 * short.length);
  const body = [frame.F_INLINE, frame.F_SEGMENT_BYTES, frame.F_LENGTHS];
  const request = [...short.slice(0, 3), frame.F_BINDING, frame.F_TIMEOUT, ...body];
  const response = [...short.slice(0, 3), frame.F_MESSAGE_LENGTH, frame.F_DETAILS_LENGTH, ...body];
  for (const words of [request, response]) {
    assert.deepEqual(
      words.sort((a, b) => a - b),
      [0, 1, 2, 3, 4, 5, 6, 7],
    );
    assert.equal(frame.LONG_HEADER_BYTES, 4 * words.length);
  }
});

test("headers keep what follows aligned", () => {
  assert.equal(frame.SHORT_HEADER_BYTES % 8, 0);
  assert.equal(frame.LONG_HEADER_BYTES % 8, 0);
});

test("all that stands before a body fits into the first frame, and its lengths into their bits", () => {
  // `metadata` in [limits] of koala.toml goes up to this.
  const metadataBytesMax = 24 * 1024;
  const head =
    frame.LONG_HEADER_BYTES +
    4 * SEGMENTS_MAX +
    TRACE_BYTES +
    metadataBytesMax +
    frame.statusMessageBytesMax +
    frame.statusDetailsBytesMax;
  assert.ok(head <= frame.headBytesMax, `${head} bytes`);
  assert.ok(metadataBytesMax < 2 ** 16 && SEGMENTS_MAX < 2 ** 16);
  assert.ok(frame.headBytesMax < frame.frameBytesMax);
  assert.ok(frame.coldFrameBytesMax <= frame.frameBytesMax);
});

test("types have names, strangers their number", () => {
  assert.equal(frame.frameTypeName(FrameType.CHUNK), "CHUNK");
  assert.equal(frame.frameTypeName(99), "type 99");
});

test("only messages have the long header", () => {
  const long = Object.entries(FrameType).filter(([, type]) => frame.hasLongHeader(type));
  assert.deepEqual(
    long.map(([name]) => name),
    ["REQUEST", "RESPONSE", "STREAM_MESSAGE"],
  );
  assert.equal(frame.hasLongHeader(0), false);
});
