import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { create, createFileRegistry } from "@bufbuild/protobuf";
import { FileDescriptorSetSchema } from "@bufbuild/protobuf/wkt";
import { Origin, Status } from "@koala/interface";
import { monotonicMicros } from "@koala/native";
import { decodeMetadata, encodeMetadata } from "@koala/protocol";
import { Runtime } from "@koala/runtime";
import { type MethodSchema, type ServiceSchema, serviceSchemaOf } from "@koala/schema";
import { Spinner } from "@koala/shm";
import { type Binding, createBinding } from "../datapath/binding.ts";
import { Body } from "../datapath/body.ts";
import { type Call, CallTable, type Party } from "../datapath/call.ts";
import { CallObserver } from "./call-observer.ts";

const set = create(FileDescriptorSetSchema, {
  file: [
    {
      name: "o.proto",
      package: "o.v1",
      syntax: "proto3",
      messageType: [{ name: "M" }],
      service: [
        { name: "S", method: [{ name: "Do", inputType: ".o.v1.M", outputType: ".o.v1.M" }] },
      ],
    },
  ],
});
const schema: ServiceSchema = serviceSchemaOf(createFileRegistry(set).getService("o.v1.S")!);
const method: MethodSchema = schema.methods[0]!;
const app = { label: "app[1]", isApp: true, isLocal: true } as Party;
const peer = { label: "b (10.0.0.2:4500)", isApp: false, isLocal: false } as Party;

class Stage {
  readonly runtime: Runtime = new Runtime({
    waiter: { wait: () => {} },
    spinner: new Spinner({ maxMicros: 0, fixed: false, cores: 1, runnableThreads: () => 0 }),
    nowMicros: () => 0,
    yieldThread: () => {},
    budget: 1,
  });
  readonly observer: CallObserver = new CallObserver({ runtime: this.runtime, instance: "i-0" });
  readonly table: CallTable = new CallTable();
  readonly binding: Binding = createBinding(
    0,
    app,
    { app: "app", host: "", uid: 7, pid: 1, labels: {} },
    "target",
    schema,
    "anywhere",
  );
  readonly body: Body = new Body();

  constructor() {
    // Samples look at the real clock.
    this.runtime.nowMs = monotonicMicros() / 1000;
    this.body.inlineLength = 16;
  }

  begin(callee: Party | null = app): Call {
    const call = this.table.openCall()!;
    call.caller = app;
    call.callee = callee;
    call.binding = this.binding;
    call.method = method;
    this.observer.begin(call, this.body);
    return call;
  }

  answer(call: Call, status: Status = Status.OK, body: Body = this.body): void {
    this.observer.sent(call);
    this.observer.replied(call, status, Origin.REMOTE_APP, body);
    this.observer.ended(call);
    this.table.closeCall(call);
  }
}

describe("a call observer", () => {
  it("records all calls while there are few, and a bounded number when there are many", () => {
    const stage = new Stage();
    for (let i = 0; i < 10; i++) stage.answer(stage.begin());
    assert.equal(stage.observer.newest(100, false).length, 10);
    const ids = new Set(stage.observer.newest(100, false).map(({ id }) => id));
    assert.equal(ids.size, 10, "each has an id of its own");
    // A million calls in a second, in rounds of 64.
    let noted = 0;
    for (let i = 0; i < 1_000_000; i++) {
      if (i % 64 === 0) stage.runtime.nowMs += 0.064;
      const call = stage.begin();
      if (call.note !== null) noted++;
      stage.answer(call);
    }
    assert.ok(noted > 400 && noted < 2000, `${noted} samples`);
    assert.equal(stage.binding.traffic.calls, 1_000_010);
    assert.equal(stage.binding.traffic.open, 0);
    assert.equal(stage.binding.traffic.requestBytes, 16 * 1_000_010);
    // And all of them again, some time after.
    let sampled = 0;
    for (let i = 0; i < 100; i++) {
      stage.runtime.nowMs += 1000;
      const call = stage.begin();
      if (call.note !== null) sampled++;
      stage.answer(call);
    }
    assert.equal(sampled, 100);
  });

  it("records each failure once, with an id that its caller is told", () => {
    const stage = new Stage();
    const call = stage.begin(null);
    stage.observer.failed(call, Status.UNAVAILABLE, Origin.LOCAL_DAEMON, "nobody serves it");
    stage.observer.failed(call, Status.CANCELLED, Origin.APP, "the caller gave up");
    const [entry] = decodeMetadata(stage.observer.trailersOf(call)!)!;
    stage.observer.ended(call);
    const [found, ...others] = stage.observer.find(String(entry![1]));
    assert.deepEqual(others, []);
    assert.deepEqual(
      [found!.why, found!.statusName, found!.origin, found!.message, found!.to],
      ["failed", "UNAVAILABLE", "local-daemon", "nobody serves it", null],
    );
    assert.equal(stage.binding.traffic.errors, 1);
  });

  it("has no more to say of failures than it may", () => {
    const stage = new Stage();
    let named = 0;
    for (let i = 0; i < 5000; i++) {
      const call = stage.begin(null);
      stage.observer.failed(call, Status.UNAVAILABLE, Origin.LOCAL_DAEMON, "no");
      if (stage.observer.trailersOf(call) !== null) named++;
      stage.observer.ended(call);
      stage.table.closeCall(call);
    }
    assert.ok(named < 5000, `${named} have an id`);
    assert.equal(stage.binding.traffic.errors, 5000);
  });

  it("knows the name that another daemon gave to a call that it ended", () => {
    const stage = new Stage();
    const reply = new Body();
    reply.setText("denied there", encodeMetadata([["koala-request-id", "far-1"]]));
    stage.answer(stage.begin(peer), Status.PERMISSION_DENIED, reply);
    const [found] = stage.observer.find("far-1");
    assert.deepEqual(
      [found!.remoteId, found!.message, found!.to?.kind],
      ["far-1", "denied there", "peer"],
    );
  });

  it("records calls that took long, though nobody had looked at them", () => {
    const stage = new Stage();
    // No more samples for now.
    for (let i = 0; i < 5000; i++) stage.answer(stage.begin());
    const call = stage.begin();
    assert.equal(call.note, null);
    stage.observer.sent(call);
    stage.runtime.nowMs += 400;
    stage.observer.replied(call, Status.OK, Origin.REMOTE_APP, stage.body);
    stage.observer.ended(call);
    const slow = stage.observer.newest(5000, false).find(({ why }) => why === "slow");
    assert.deepEqual(slow!.hops, { policies: -1, sent: 0, replied: 400_000, ended: 400_000 });
    assert.equal(slow!.isPrecise, false);
  });

  it("keeps the last of many", () => {
    const stage = new Stage();
    for (let i = 0; i < 3000; i++) {
      const call = stage.begin(null);
      stage.observer.failed(call, Status.INTERNAL, Origin.LOCAL_DAEMON, `${i}`);
      stage.observer.ended(call);
      stage.table.closeCall(call);
      stage.runtime.nowMs += 1;
    }
    const all = stage.observer.newest(5000, true);
    assert.equal(all.length, 1024);
    assert.ok(all.some(({ message }) => message === "2999"));
    assert.ok(all.every(({ message }) => Number(message) >= 3000 - 1024));
  });
});
