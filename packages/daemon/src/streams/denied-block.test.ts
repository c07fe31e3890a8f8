import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Passage } from "@koala/policy/engine";
import { openMemory } from "@koala/shm";
import { Body } from "../datapath/body.ts";
import { type Call, Outcome, Parked } from "../datapath/call.ts";
import type { Router } from "../datapath/router.ts";
import { type Flow, flowOf } from "./flow.ts";
import { Streams } from "./streams.ts";

const messageBytes = 16;

function blockOf(count: number): Body {
  const body = new Body();
  body.clear();
  body.count = count;
  body.inlineLength = count * messageBytes;
  body.place(openMemory(new ArrayBuffer(body.inlineLength)), 0);
  body.cost = body.inlineLength;
  return body;
}

/** A call whose caller has no room until it is told, and whose policy denies the third message of a block. */
class Scene {
  readonly handed: number[] = [];
  asked = 0;
  denied = 0;
  hasRoom = false;
  isSending = false;
  readonly streams: Streams;
  readonly flow: Flow;

  constructor() {
    const call = {
      method: { name: "Mirror", kind: "bidi_streaming" },
      stream: null,
      parked: Parked.NO,
      callee: {},
      caller: {
        message: (_flow: Flow, body: Body) => this.take(body),
        isSending: () => this.isSending,
        adoptFlow: () => {},
      },
    } as unknown as Call;
    const router = {
      observer: { message: () => {} },
      policies: {
        listensToStream: () => true,
        streamMessages: (_flow: Flow, body: Body) => this.look(body),
        takeRest: () => blockOf(1),
      },
      denyMidway: () => {
        this.denied++;
        this.streams.drop(call);
        call.stream = null;
      },
    };
    this.streams = new Streams(router as unknown as Router);
    this.flow = flowOf(call, false);
  }

  private take(body: Body): Outcome {
    if (!this.hasRoom) return Outcome.PARK;
    this.handed.push(body.count);
    return Outcome.DONE;
  }

  private look(body: Body): Passage {
    this.asked++;
    if (body.count < 3) return Passage.PASSED;
    body.count = 2;
    body.inlineLength = 2 * messageBytes;
    return Passage.DENIED;
  }
}

describe("a block of which a message is denied", () => {
  it("goes on up to that message, and then the call ends", () => {
    const scene = new Scene();
    scene.hasRoom = true;
    assert.equal(scene.streams.send(scene.flow, blockOf(3)), Outcome.DONE);
    assert.deepEqual([scene.handed, scene.denied], [[2], 1]);
  });

  it("waits for room first, and the policy is not asked again", () => {
    const scene = new Scene();
    const { flow, streams } = scene;
    streams.send(flow, blockOf(1));
    streams.send(flow, blockOf(3));
    streams.send(flow, blockOf(1));
    assert.equal(streams.offer(flow), false);
    scene.hasRoom = true;
    const { waiting } = flow;
    assert.equal(
      waiting.length,
      3,
      "the first has been let pass, the others have not had their turn",
    );
    assert.equal(streams.offer(flow), true);
    assert.deepEqual([scene.handed, scene.denied, scene.asked], [[1, 2], 1, 2]);
    assert.equal(streams.waitingBytes, 0);
  });

  it("that finds no room is split, and ends the call once there is some", () => {
    const scene = new Scene();
    const { flow, streams } = scene;
    streams.send(flow, blockOf(3));
    assert.deepEqual(
      flow.waiting.map(({ count, isSeen }) => [count, isSeen]),
      [
        [2, true],
        [1, false],
      ],
    );
    streams.send(flow, blockOf(2));
    assert.equal(streams.offer(flow), false);
    assert.equal(scene.denied, 0);
    scene.hasRoom = true;
    streams.offer(flow);
    assert.deepEqual([scene.handed, scene.denied, scene.asked], [[2], 1, 1]);
    assert.equal(streams.waitingBytes, 0);
    assert.equal(flow.waiting.length, 0);
  });

  it("is not looked at while an earlier message is still on its way out", () => {
    const scene = new Scene();
    const { flow, streams } = scene;
    scene.hasRoom = true;
    scene.isSending = true;
    streams.send(flow, blockOf(3));
    assert.deepEqual([scene.asked, scene.denied, flow.waiting.length], [0, 0, 1]);
    scene.isSending = false;
    streams.offer(flow);
    assert.deepEqual([scene.handed, scene.denied], [[2], 1]);
    assert.equal(streams.waitingBytes, 0);
  });
});
