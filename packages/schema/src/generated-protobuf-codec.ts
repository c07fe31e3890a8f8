/** The protobuf codec of a message type: its functions are generated when they are first used. */
import { Buffer, isAscii, isUtf8 } from "node:buffer";
import { KoalaError } from "@koala/interface";
import type { Memory } from "@koala/shm";
import { layoutBehind } from "./codec.ts";
import { described } from "./explain-value.ts";
import { generateDecoder } from "./generate-decoder.ts";
import { generateEncoder } from "./generate-encoder.ts";
import type { MessageLayout } from "./layout.ts";
import { protobufBytesMax } from "./limits.ts";
import type { MessageCodec, SegmentSink } from "./message-codec.ts";
import type { ProtobufCodec } from "./protobuf-codec.ts";
import { ProtobufCode, protobufReasons } from "./protobuf-reasons.ts";
import { compile, numbered } from "./source.ts";

const codecs = new WeakMap<MessageCodec, ProtobufCodec>();

/** The protobuf codec of the type that `codec` is for: the same one for the same codec. */
export function protobufCodecOf(codec: MessageCodec): ProtobufCodec {
  if (codec instanceof GeneratedProtobufCodec) return codec;
  let found = codecs.get(codec);
  if (found === undefined) {
    found = new GeneratedProtobufCodec(codec, layoutBehind(codec));
    codecs.set(codec, found);
  }
  return found;
}

class GeneratedProtobufCodec implements ProtobufCodec {
  readonly typeName: string;
  readonly hash: string;
  readonly rootBytes: number;
  problem: ProtobufCode = ProtobufCode.OK;
  problemAt = 0;
  // Own properties, replaced by the generated functions, so that a call costs one load.
  validate: MessageCodec["validate"];
  size: ProtobufCodec["size"];
  encode: ProtobufCodec["encode"];
  encodeBehind: ProtobufCodec["encodeBehind"];
  decode: ProtobufCodec["decode"];

  constructor(codec: MessageCodec, layout: MessageLayout) {
    this.typeName = codec.typeName;
    this.hash = codec.hash;
    this.rootBytes = codec.rootBytes;
    this.validate = (memory, offset, inlineLength, lengths, count) =>
      codec.validate(memory, offset, inlineLength, lengths, count);
    this.size = (memory, offset, inlineLength) => {
      Object.assign(this, compileEncoder(layout));
      return this.size(memory, offset, inlineLength);
    };
    this.encode = (memory, offset, inlineLength, target, start) => {
      Object.assign(this, compileEncoder(layout));
      return this.encode(memory, offset, inlineLength, target, start);
    };
    this.encodeBehind = (memory, offset, inlineLength, prefixBytes) => {
      Object.assign(this, compileEncoder(layout));
      return this.encodeBehind(memory, offset, inlineLength, prefixBytes);
    };
    this.decode = (source, start, end, memory, offset, limit, segments) => {
      this.decode = compileDecoder(layout, this);
      return this.decode(source, start, end, memory, offset, limit, segments);
    };
  }

  write(
    bytes: Uint8Array,
    memory: Memory,
    offset: number,
    limit: number,
    segments: SegmentSink,
  ): number {
    if (!(bytes instanceof Uint8Array)) {
      const text = `${this.typeName}: found ${described(bytes)}, expected a Uint8Array with its encoding`;
      throw new KoalaError("ERR_SCHEMA_VALUE", text);
    }
    const length = this.decode(bytes, 0, bytes.length, memory, offset, limit, segments);
    if (length === 0) throw this.#error();
    return length;
  }

  read(memory: Memory, offset: number, inlineLength: number): Buffer {
    return this.encodeBehind(memory, offset, inlineLength, 0);
  }

  view(memory: Memory, offset: number, inlineLength: number): Buffer {
    return this.encodeBehind(memory, offset, inlineLength, 0);
  }

  #error(): KoalaError {
    const where = `${this.typeName}: byte ${this.problemAt} of its protobuf encoding`;
    const text = `${where}: ${protobufReasons[this.problem]}`;
    return new KoalaError("ERR_SCHEMA_PROTOBUF", text);
  }
}

type Encoder = Pick<ProtobufCodec, "size" | "encode" | "encodeBehind">;

function compileEncoder(root: MessageLayout): Encoder {
  const allocate = (prefixBytes: number, bytes: number): Buffer => {
    if (bytes <= protobufBytesMax - prefixBytes) return Buffer.allocUnsafe(prefixBytes + bytes);
    const text = `${root.typeName}: the message has ${bytes} bytes in protobuf's encoding, at most ${protobufBytesMax} can be had; send less at a time`;
    throw new KoalaError("ERR_SCHEMA_PROTOBUF", text);
  };
  const rt = { allocate, bytesMax: protobufBytesMax };
  return compile(generateEncoder(numbered(root)), { rt });
}

/** `state` gets the problem of bytes that are no message. */
function compileDecoder(
  root: MessageLayout,
  state: { problem: ProtobufCode; problemAt: number },
): ProtobufCodec["decode"] {
  return compile(generateDecoder(numbered(root)), {
    rt: { bad: new Error("the bytes are not a message"), isAscii, isUtf8, repaired, state },
  });
}

/** Text with U+FFFD in the place of what is not UTF-8. */
function repaired(bytes: Uint8Array): Uint8Array {
  return Buffer.from(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString("utf8"));
}
