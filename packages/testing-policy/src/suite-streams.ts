/** The suite's part about streams: what a policy may do to their messages, and that it leaves nothing behind. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Origin, Status } from "@koala/interface";
import { type ServiceSchema, serviceSchemaOf } from "@koala/schema";
import { checkConfig } from "./check-config.ts";
import { Stall } from "./gen/shop/v1/shop_pb.ts";
import type { CallOptions } from "./harness-options.ts";
import type { HarnessStream } from "./harness-stream.ts";
import { reachableSize } from "./reachable-size.ts";
import {
  assertOneResponseEach,
  endAll,
  type Fixture,
  fixtureFor,
  settleMs,
} from "./suite-fixture.ts";
import type { PolicySubject } from "./suite-subject.ts";

const methods = ["Watch", "Fill", "Haggle"] as const;
const streamsMany = 300;
const roundsMax = 12;

/** Messages that nobody would send. */
const oddMessages: readonly object[] = [
  {},
  { sku: "\u0000", query: "\u0000", count: -(2 ** 31), limit: 0xffff_ffff, price: Number.NaN },
  {
    query: "é".repeat(70_000),
    voucher: new Uint8Array(100_000),
    items: [{ sku: "x".repeat(5000) }],
  },
  { labels: { "": "", __proto__x: "1" }, payment: { case: "onAccount", value: true }, order: "é" },
];

/** What streams are tested with: the subject, with the methods of the stall. */
export function testStreams(subject: PolicySubject): void {
  const schema: ServiceSchema = serviceSchemaOf(Stall);
  const match = { service: [schema.typeName] };
  const { policy } = subject;
  const harness = { ...subject.harness };
  if (harness.match !== undefined) harness.match = match;
  const ofStreams: PolicySubject = { ...subject, service: Stall, harness };
  const fitting = subject.validConfigs.filter(
    ({ config }) => checkConfig(policy, config, schema).ok,
  );
  if (fitting.length === 0) return;
  describe("with streams", () => {
    for (const { name, config } of fitting) {
      it(`follows each stream it took with one onResponse (${name})`, () => {
        const fixture = fixtureFor(ofStreams, config);
        const streams = endInEveryWay(fixture, subject);
        finish(fixture, streams);
        const declared = policy.provides ?? [];
        for (const ability of fixture.recorder.abilities) {
          assert.ok(declared.includes(ability), `"${ability}" is in "provides" of its manifest`);
        }
      });
      it(`keeps nothing of ${streamsMany} streams, however they end (${name})`, () => {
        keepsNothing(ofStreams, config);
      });
      it(`works for odd messages (${name})`, () => {
        worksForOddMessages(ofStreams, config);
      });
      it(`changes while streams are open (${name})`, async () => {
        for (const { config: after } of fitting) await changes(ofStreams, config, after);
      });
    }
    it("leaves messages that pass as they were", () => {
      leavesMessagesAsTheyWere(ofStreams, fitting[0]!.config);
    });
  });
}

function open(
  { harness }: Fixture,
  subject: PolicySubject,
  options: CallOptions = {},
): HarnessStream[] {
  return methods.map((method) => harness.stream(method, { ...subject.call, ...options }));
}

/** Some messages each way, where the method has them. */
function talk(streams: readonly HarnessStream[]): void {
  for (const stream of streams) {
    const { kind } = stream.call.source.method;
    for (let i = 0; i < 3; i++) {
      if (kind !== "server_streaming") stream.send({ query: `${i}`, sku: `${i}` });
      if (kind !== "client_streaming") stream.receive({ sku: `${i}`, order: `${i}` });
    }
  }
}

/** Streams that get OK, an error, a cancellation or a deadline; held, open, and over already. */
function endInEveryWay(fixture: Fixture, subject: PolicySubject): HarnessStream[] {
  const streams: HarnessStream[] = [];
  for (let i = 0; i < 4; i++) {
    const some = [open(fixture, subject), open(fixture, subject), open(fixture, subject)];
    talk(some.flat());
    for (const stream of some[0]!) stream.end();
    for (const stream of some[1]!) stream.end({ status: Status.NOT_FOUND, statusMessage: "no" });
    for (const stream of some[2]!) stream.cancel();
    streams.push(...some.flat(), ...open(fixture, subject, { timeoutMs: 5 }));
    streams.push(...open(fixture, subject));
  }
  talk(streams.slice(-12));
  fixture.harness.advance(10);
  endAll(
    fixture,
    streams.map(({ call }) => call),
  );
  fixture.harness.advance(settleMs(subject));
  return streams;
}

function finish(fixture: Fixture, streams: readonly HarnessStream[]): void {
  const calls = streams.map(({ call }) => call);
  endAll(fixture, calls);
  for (const call of calls) assert.ok(call.hasEnded, `${call.requestId} is ${call.outcome}`);
  assertOneResponseEach(fixture, calls);
  assert.equal(fixture.harness.failure, "");
}

function keepsNothing(subject: PolicySubject, config: unknown): void {
  const fixture = fixtureFor(subject, config);
  const { harness, recorder } = fixture;
  const sizes: number[] = [];
  const timers: number[] = [];
  while (sizes.length < 3 || (sizes.at(-1)! > sizes.at(-2)! && sizes.length < roundsMax)) {
    for (let count = 0; count < streamsMany; ) count += endInEveryWay(fixture, subject).length;
    recorder.byRequestId.clear();
    sizes.push(reachableSize(harness.state));
    timers.push(harness.clock.pending);
  }
  assert.equal(harness.held, 0);
  assert.equal(timers.at(-1), timers[0], "as many timers run as after the first streams");
  assert.ok(sizes.at(-1)! <= sizes.at(-2)!, `sizes of the state: ${sizes.join(", ")}`);
}

function worksForOddMessages(subject: PolicySubject, config: unknown): void {
  const fixture = fixtureFor(subject, config);
  const streams: HarnessStream[] = [];
  for (const fields of oddMessages) {
    for (const malformed of [false, true]) {
      const [watch, fill, haggle] = open(fixture, subject);
      watch!.receive(fields, { malformed });
      fill!.send(fields, { malformed });
      haggle!.send({});
      haggle!.receive(fields, { malformed });
      streams.push(watch!, fill!, haggle!);
    }
  }
  for (const status of Object.values(Status)) {
    for (const origin of Object.values(Origin)) {
      const some = open(fixture, subject);
      for (const stream of some) stream.end({ status, origin });
      streams.push(...some);
    }
  }
  finish(fixture, streams);
}

/** Another configuration, the same code anew, and the end, with streams that begin before and go on after each. */
async function changes(subject: PolicySubject, before: unknown, after: unknown): Promise<void> {
  const fixture = fixtureFor(subject, before);
  const { harness } = fixture;
  const streams = open(fixture, subject);
  talk(streams);
  // What becomes of held calls is asked elsewhere.
  harness.advance(settleMs(subject));
  harness.reconfigure(after);
  talk(streams);
  streams.push(...open(fixture, subject));
  talk(streams);
  harness.advance(settleMs(subject));
  harness.upgrade(fixture.recorder.policy, after);
  talk(streams);
  for (const stream of streams.slice(0, 2)) stream.end();
  await harness.stop();
  assert.equal(harness.held, 0);
  finish(fixture, streams);
  assert.equal(harness.clock.pending, 0, "timers");
}

function leavesMessagesAsTheyWere(subject: PolicySubject, config: unknown): void {
  const fixture = fixtureFor(subject, config);
  const streams = open(fixture, subject);
  const [watch, fill, haggle] = streams;
  const messages = [
    watch!.receive({ sku: "a", price: 1.5 }),
    fill!.send({ sku: "b", count: 2, voucher: new Uint8Array(9) }),
    haggle!.send({ query: "c", limit: 3 }),
    haggle!.receive({ items: [{ title: "d" }] }),
  ];
  fixture.harness.advance(settleMs(subject));
  if (subject.changesMessages !== true) {
    const plain = messages.map(({ outcome, value }) => [outcome, value]);
    const expected = messages.map(({ box }) => ["passed", box.copy()]);
    assert.deepEqual(plain, expected, streams.map(({ call }) => call.message).join("; "));
    assert.equal((messages[0]!.value as { sku: string }).sku, "a");
    assert.equal((messages[1]!.value as { count: number }).count, 2);
    assert.equal((messages[2]!.value as { query: string }).query, "c");
  }
  finish(fixture, streams);
}
