/** One side of a link for tests: a router with a caller and a server of its own, without apps and threads. */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { create, toBinary } from "@bufbuild/protobuf";
import {
  FieldDescriptorProto_Label,
  FieldDescriptorProto_Type,
  FileDescriptorSetSchema,
} from "@bufbuild/protobuf/wkt";
import { type Connection, Origin, Status } from "@koala/interface";
import { closeFd } from "@koala/native";
import { padTo8 } from "@koala/protocol";
import { Runtime } from "@koala/runtime";
import { type ServiceSchema, serviceSchemaFrom } from "@koala/schema";
import { openMemory, Spinner } from "@koala/shm";
import type { Prng } from "@koala/testing";
import { type Binding, createBinding } from "../datapath/binding.ts";
import { Body } from "../datapath/body.ts";
import { type BlockOwner, type Call, Outcome, Parked, type Party } from "../datapath/call.ts";
import { restoreCalls, saveCalls } from "../datapath/call-saving.ts";
import type { CallTableState } from "../datapath/call-state.ts";
import { Router } from "../datapath/router.ts";
import { SchemaStore } from "../datapath/schema-store.ts";
import { Translator } from "../datapath/translator.ts";
import { readStateFile, writeStateFile } from "../handover/state-file.ts";
import { Link } from "./link.ts";
import type { LinkState } from "./link-state.ts";

const target = "echo";
const descriptorSet = toBinary(
  FileDescriptorSetSchema,
  create(FileDescriptorSetSchema, {
    file: [
      {
        name: "a.proto",
        package: "a.v1",
        syntax: "proto3",
        messageType: [
          {
            name: "M",
            field: [
              {
                name: "data",
                number: 1,
                type: FieldDescriptorProto_Type.BYTES,
                label: FieldDescriptorProto_Label.OPTIONAL,
              },
            ],
          },
        ],
        service: [
          { name: "S", method: [{ name: "Do", inputType: ".a.v1.M", outputType: ".a.v1.M" }] },
        ],
      },
    ],
  }),
);
export const schema: ServiceSchema = serviceSchemaFrom(descriptorSet, "a.v1.S");

/** Small, so that messages are in chunks and have to wait. */
const limits = {
  messageBytes: 1 << 20,
  metadataBytes: 1024,
  schemaBytes: 1 << 16,
  linkWindow: 1 << 20,
  streamWindow: 1 << 14,
  frameBytes: 1 << 13,
  keepaliveMs: 60_000,
};

function digestOf(body: Body): string {
  const hash = createHash("sha1");
  hash.update(body.memory.u8.subarray(body.offset, body.offset + body.inlineLength));
  // What pads them may be anything.
  for (let i = 0; i < body.segmentCount; i++) {
    const at = body.segmentOffsets[i]!;
    hash.update(body.segmentMemories[i]!.u8.subarray(at, at + body.segmentLengths[i]!));
  }
  return hash.digest("hex");
}

/** A message with up to two segments, as if it had been checked already. */
function messageOf(random: Prng, isLarge: boolean): Body {
  const body = new Body();
  body.clear();
  body.inlineLength = 8 * random.between(1, isLarge ? 10_000 : 20);
  body.segmentCount = random.below(3);
  for (let i = 0; i < body.segmentCount; i++) {
    body.segmentLengths[i] = random.between(1, isLarge ? 60_000 : 500);
    body.segmentBytes += padTo8(body.segmentLengths[i]!);
  }
  const memory = openMemory(new ArrayBuffer(body.bodyBytes()));
  body.place(memory, 0);
  const fill = (offset: number, length: number): void => {
    for (let at = 0; at < length; at++) memory.u8[offset + at] = random.below(256);
  };
  fill(0, body.inlineLength);
  for (let i = 0; i < body.segmentCount; i++)
    fill(body.segmentOffsets[i]!, body.segmentLengths[i]!);
  return body;
}

/** Calls, serves, and plays for time now and then. */
class Peer implements Party, BlockOwner {
  readonly label = "peer";
  readonly isLocal = true;
  readonly isApp = false;
  readonly invalidReason = "";
  readonly side: Side;
  /** Requests of this side by its own number, and the calls it has got. */
  readonly asked: Map<number, Body> = new Map();
  readonly served: Map<number, Body> = new Map();
  /** Calls whose message this side would not take yet. */
  readonly postponed: number[] = [];
  readonly freed: Map<number, number> = new Map();
  readonly failures: string[] = [];
  private answering = new Set<number>();
  private serial = 0;

  constructor(side: Side) {
    this.side = side;
  }

  message(): Outcome {
    throw new Error("streaming calls are not played here");
  }

  credit(): void {
    throw new Error("streaming calls are not played here");
  }

  adoptFlow(): void {
    throw new Error("streaming calls are not played here");
  }

  blame(reason: string): void {
    this.failures.push(reason);
  }

  ask(): void {
    const { router, random } = this.side;
    const call = router.calls.openCall()!;
    const body = messageOf(random, random.chance(0.4));
    body.owner = this;
    body.ownerTag = ++this.serial;
    body.ownerOffset = 0;
    call.caller = this;
    call.callerId = this.serial;
    call.binding = this.side.binding;
    call.method = schema.methods[0]!;
    this.asked.set(this.serial, body);
    router.dispatch(call, body);
  }

  answer(): void {
    const { random, router } = this.side;
    const waiting = [...this.served.keys()].filter((id) => !this.answering.has(id));
    if (waiting.length === 0) return;
    const id = random.pick(waiting);
    this.answering.add(id);
    this.reply(router.calls.get(id)!);
  }

  takePostponed(): void {
    const { router } = this.side;
    for (const id of this.postponed.splice(0)) {
      const call = router.calls.get(id);
      if (call !== undefined && call.parked !== Parked.NO) router.offerAgain(call);
    }
  }

  begin(call: Call, body: Body): Outcome {
    if (this.isBusy(body)) return this.postpone(call);
    this.served.set(call.id, body.privateCopy());
    return Outcome.DONE;
  }

  finish(call: Call, status: Status, _origin: Origin, body: Body): Outcome {
    if (this.isBusy(body)) return this.postpone(call);
    const request = this.asked.get(call.callerId)!;
    if (status !== Status.OK) this.failures.push(`call ${call.callerId} ended with ${status}`);
    else if (digestOf(body) !== digestOf(request))
      this.failures.push(`call ${call.callerId}: bytes`);
    this.asked.delete(call.callerId);
    if (!call.holdsRequest) this.free(call.callerId);
    return Outcome.DONE;
  }

  finishWith(call: Call, status: Status, _origin: Origin, message: string): void {
    this.failures.push(`call ${call.callerId}: ${status} ${message}`);
    this.asked.delete(call.callerId);
  }

  retry(call: Call): boolean {
    if (call.parked === Parked.REPLY) return this.reply(call) !== Outcome.PARK;
    const outcome = this.side.router.dispatch(call, this.asked.get(call.callerId)!);
    if (outcome !== Outcome.PARK && call.open) call.parked = Parked.NO;
    return outcome !== Outcome.PARK;
  }

  cancel(): void {}
  dropReply(): void {}
  pin(): void {}
  unpin(): void {}
  parkedRequest(): Body | null {
    return null;
  }
  releaseBlock(tag: number): void {
    this.free(tag);
  }

  /** Of large messages, not as many as that may wait. */
  private isBusy(body: Body): boolean {
    return body.bodyBytes() < 2000 && this.side.random.chance(0.1);
  }

  private postpone(call: Call): Outcome {
    this.postponed.push(call.id);
    return Outcome.PARK;
  }

  private reply(call: Call): Outcome {
    const { router } = this.side;
    const outcome = router.deliver(call, Status.OK, Origin.REMOTE_APP, this.served.get(call.id)!);
    if (outcome === Outcome.PARK) {
      call.parked = Parked.REPLY;
      return outcome;
    }
    this.served.delete(call.id);
    this.answering.delete(call.id);
    router.end(call);
    return outcome;
  }

  private free(tag: number): void {
    this.freed.set(tag, (this.freed.get(tag) ?? 0) + 1);
  }
}

interface SavedSide {
  readonly link: LinkState;
  readonly calls: CallTableState;
}

export class Side {
  readonly random: Prng;
  readonly peer: Peer = new Peer(this);
  router!: Router;
  binding!: Binding;
  link!: Link;
  /** How often it was taken down to data and made anew. */
  moves = 0;
  down = "";
  private runtime!: Runtime;
  private readonly name: string;
  private readonly connection: Connection;
  private readonly serves: boolean;

  constructor(name: string, connection: Connection, random: Prng, serves: boolean) {
    this.name = name;
    this.connection = connection;
    this.random = random;
    this.serves = serves;
    this.make(undefined);
    this.link.onReady(true, false);
  }

  /** One turn of its runtime. */
  turn(): void {
    this.link.onReady(true, false);
    this.link.poll(this.random.between(1, 8));
    this.runtime.flushAll();
    assert.equal(this.down, "");
  }

  /** Goes on from its own state, with nothing else of what there was. */
  move(): void {
    this.moves++;
    const { link, peer } = this;
    const refOf = (party: Party): { kind: "app" | "link"; id: number } =>
      party === link ? { kind: "link", id: 0 } : { kind: "app", id: 1 };
    const state: SavedSide = {
      link: link.state.save(0, -1, { appOf: (owner) => (owner === peer ? 1 : -1) }),
      calls: saveCalls(this.router, { refOf, ownerRef: () => ({ kind: "link", id: 0 }) }),
    };
    const { fd } = writeStateFile("test", state);
    const saved = readStateFile(fd) as SavedSide;
    closeFd(fd);
    this.make(saved);
  }

  private make(saved: SavedSide | undefined): void {
    const { name, peer, serves } = this;
    const runtime = new Runtime({
      waiter: { wait: () => {} },
      spinner: new Spinner({ maxMicros: 0, fixed: true, cores: 1, runnableThreads: () => 1 }),
      nowMicros: () => 0,
      yieldThread: () => {},
      budget: 64,
    });
    const schemas = new SchemaStore();
    schemas.compile(descriptorSet, schema.typeName, schema.hash);
    const router = new Router(runtime, schemas, name);
    const identity = { app: name, host: "", uid: 0, pid: 1, labels: {} };
    this.binding = createBinding(0, peer, identity, target, schema, "anywhere");
    this.runtime = runtime;
    this.router = router;
    if (serves) router.exports.push({ id: 0, party: peer, name: target, schema });
    const offer = { name: target, service: schema.typeName, hashes: [schema.hash], instances: 1 };
    this.link = new Link({
      ...{ connection: this.connection, runtime, router, schemas, limits },
      translator: new Translator(),
      self: { name, instance: `instance of ${name}/0` },
      offers: () => (serves ? [offer] : []),
      reach: "siblings",
      ...(saved === undefined ? {} : { saved: saved.link }),
      onUp: () => {},
      onDown: (_, reason) => {
        this.down = reason;
      },
    });
    if (saved === undefined) return;
    const { link } = this;
    const held = saved.calls.calls.map((call) => ({ ...call, holdsRequest: false }));
    restoreCalls(
      router,
      schemas,
      { ...saved.calls, calls: held },
      {
        partyOf: ({ kind }) => (kind === "link" ? link : peer),
        bindingOf: ({ kind }, id) =>
          kind === "link" ? link.bindings.theirBinding(id) : this.binding,
        ownerOf: () => link.calls,
      },
    );
    link.state.loadCalls(saved.link);
    if (link.peer !== null) router.links.push(link);
    for (const { tag } of saved.link.released) peer.releaseBlock(tag);
    link.resume();
    router.routesChanged();
  }
}
