import assert from "node:assert/strict";
import { test } from "node:test";
import { FrameType } from "@koala/protocol";
import type { Flow } from "../streams/flow.ts";
import { LinkStreams, type LinkStreamsOptions } from "./link-streams.ts";

test("credit in tiny pieces is one frame once there is room, however often it is granted", () => {
  const sent: number[][] = [];
  const frames = {
    waitingCount: 1,
    sendShort: (...frame: number[]) => sent.push(frame),
  };
  const streams = new LinkStreams({ frames } as unknown as LinkStreamsOptions);
  const call = { callerId: 7, id: 3 };
  const flow = { call, toCallee: true, isCurrent: true, grantDue: 0 } as unknown as Flow;
  for (let i = 0; i < 100_000; i++) {
    flow.grantDue += 8;
    streams.credit(flow);
  }
  assert.equal(sent.length, 0);
  frames.waitingCount = 0;
  streams.drain();
  streams.drain();
  assert.deepEqual(
    sent.map(([type, stream, bytes]) => [type, stream, bytes]),
    [[FrameType.STREAM_CREDIT, 7, 800_000]],
  );
  assert.equal(flow.grantDue, 0);
});
