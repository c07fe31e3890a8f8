import assert from "node:assert/strict";
import { test } from "node:test";
import type { Connection, Span } from "@koala/interface";
import { F_KIND, F_STREAM, FrameType } from "@koala/protocol";
import type { MessageCodec } from "@koala/schema";
import { openMemory } from "@koala/shm";
import { Body } from "../datapath/body.ts";
import { Outcome } from "../datapath/call.ts";
import { LinkOutput } from "./link-output.ts";
import { MessageWriter } from "./message-writer.ts";

const megabyte = 1024 * 1024;

/** Takes all it is given, and notes of which streams the chunks are. */
function chunkConnection(streams: number[]): Connection {
  let total = 0;
  return {
    fd: -1,
    remote: "nowhere",
    send: (spans: readonly Span[], count: number) => {
      let bytes = 0;
      for (const { buffer, offset, length } of spans.slice(0, count)) {
        bytes += length;
        if (length !== 16) continue;
        const words = new Int32Array(buffer, offset, 4);
        if ((words[F_KIND]! & 0xff) === FrameType.CHUNK) streams.push(words[F_STREAM]!);
      }
      total += bytes;
      return bytes;
    },
    sentBytes: () => total,
    receive: () => 0,
    close: () => {},
  };
}

/** A trusted message of so many bytes, in memory of the daemon. */
function messageOf(bytes: number): Body {
  const body = new Body();
  body.clear();
  body.memory = openMemory(new ArrayBuffer(bytes));
  body.inlineLength = bytes;
  return body;
}

test("a large message sends a megabyte before it is another one's turn", () => {
  const output = new LinkOutput();
  const writer = new MessageWriter(output, () => {});
  writer.credit = 64 * megabyte;
  writer.frameBytes = 256 * 1024;
  writer.streamWindow = 8 * megabyte;
  const head = { type: FrameType.REQUEST, flags: 0, value16: 0, fromCallee: false };
  for (const [stream, bytes] of [
    [1, 2 * megabyte],
    [2, megabyte],
    [3, megabyte / 2],
  ] as const) {
    const place = { ...head, stream, binding: 0, timeoutMs: 0 };
    assert.equal(writer.write(place, messageOf(bytes), {} as MessageCodec), Outcome.DONE);
  }
  const streams: number[] = [];
  const connection = chunkConnection(streams);
  while (writer.largeCount > 0 || output.queuedBytes > 0) {
    writer.pump();
    assert.equal(output.flush(connection), 0);
  }
  const turns = streams.filter((stream, i) => stream !== streams[i - 1]);
  assert.deepEqual(turns, [1, 2, 3, 1]);
});
