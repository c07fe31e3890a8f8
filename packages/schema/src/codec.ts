/**
 * The generated functions of one message type, made when they are first used and shared by all types
 * with the same layout and the same look in JavaScript.
 */
import { Buffer, isAscii, isUtf8 } from "node:buffer";
import { create, type DescMessage } from "@bufbuild/protobuf";
import { assert } from "@koala/interface";
import type { Memory } from "@koala/shm";
import { copiedBytes } from "./copied-bytes.ts";
import { explainValue } from "./explain-value.ts";
import { generateReader } from "./generate-reader.ts";
import { generateValidator } from "./generate-validator.ts";
import { generateView } from "./generate-view.ts";
import { generateWriter } from "./generate-writer.ts";
import { layoutOf, type MessageLayout } from "./layout.ts";
import { bindingKey, layoutHash } from "./layout-hash.ts";
import type { MessageCodec, SegmentSink } from "./message-codec.ts";
import { type Closure, compile, numbered } from "./source.ts";
import { isUnknownBlob, packUnknown, parseUnknown, unknownEnum } from "./unknown-fields.ts";
import { structFromJson, structToJson } from "./well-known.ts";

class GeneratedCodec implements MessageCodec {
  readonly typeName: string;
  readonly hash: string;
  readonly rootBytes: number;
  readonly layout: MessageLayout;
  // Own properties, replaced by the generated functions, so that a call costs one load.
  write: MessageCodec["write"];
  read: MessageCodec["read"];
  view: MessageCodec["view"];
  validate: MessageCodec["validate"];

  constructor(layout: MessageLayout, hash: string) {
    this.typeName = layout.typeName;
    this.hash = hash;
    this.rootBytes = layout.bytes;
    this.layout = layout;
    this.write = (m, memory: Memory, offset, limit, segments: SegmentSink) => {
      this.write = compileWriter(layout);
      return this.write(m, memory, offset, limit, segments);
    };
    this.read = (memory, offset, inlineLength) => {
      this.read = compileReader(layout);
      return this.read(memory, offset, inlineLength);
    };
    this.view = (memory, offset, inlineLength) => {
      this.view = compileView(layout);
      return this.view(memory, offset, inlineLength);
    };
    this.validate = (memory, offset, inlineLength, lengths, count) => {
      this.validate = compileValidator(layout);
      return this.validate(memory, offset, inlineLength, lengths, count);
    };
  }
}

const byDescriptor = new WeakMap<DescMessage, GeneratedCodec>();
/** Weak, so that the schemas of apps that are gone do not stay. */
const byKey = new Map<string, WeakRef<GeneratedCodec>>();
const forgotten = new FinalizationRegistry<string>((key) => {
  if (byKey.get(key)?.deref() === undefined) byKey.delete(key);
});

/** The codec of a message type. Equal types share one, also across descriptor sets. */
export function codecFor(desc: DescMessage): MessageCodec {
  const known = byDescriptor.get(desc);
  if (known !== undefined) return known;
  const layout = layoutOf(desc);
  const hash = layoutHash(layout);
  const key = `${hash}.${bindingKey(layout)}`;
  let codec = byKey.get(key)?.deref();
  if (codec === undefined) {
    codec = new GeneratedCodec(layout, hash);
    byKey.set(key, new WeakRef(codec));
    forgotten.register(codec, key);
  }
  byDescriptor.set(desc, codec);
  return codec;
}

/** The layout behind a codec, for code that generates from two of them. */
export function layoutBehind(codec: MessageCodec): MessageLayout {
  assert(codec instanceof GeneratedCodec, "codecs come from codecFor()");
  return codec.layout;
}

function compileWriter(root: MessageLayout): MessageCodec["write"] {
  return compile(generateWriter(numbered(root)), {
    rt: {
      bad: new Error("a value does not fit its field"),
      explain: (message: unknown, cause: unknown) => explainValue(root, message, cause),
      packUnknown,
      unknownEnum,
      structFromJson,
      byteLength: Buffer.byteLength,
    },
  });
}

function compileReader(root: MessageLayout): MessageCodec["read"] {
  const closure = numbered(root);
  const prototypes = prototypesOf(closure);
  return compile(generateReader(closure), {
    rt: { copiedBytes, parseUnknown, structToJson, prototypes },
  });
}

function compileView(root: MessageLayout): MessageCodec["view"] {
  const closure = numbered(root);
  const prototypes = prototypesOf(closure);
  return compile(generateView(closure), { rt: { parseUnknown, structToJson, prototypes } });
}

function compileValidator(root: MessageLayout): MessageCodec["validate"] {
  return compile(generateValidator(numbered(root)), { rt: { isAscii, isUtf8, isUnknownBlob } });
}

/** The objects with the defaults that protobuf-es puts behind messages with explicit presence. */
function prototypesOf(closure: Closure): (object | null)[] {
  return closure.layouts.map(({ usesPrototype, desc }) =>
    usesPrototype ? (Object.getPrototypeOf(create(desc)) as object) : null,
  );
}
