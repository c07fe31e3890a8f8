/** A service as both sides of a call need it: methods with codecs, and the descriptors to send along. */
import { createHash } from "node:crypto";
import { type DescFile, type DescMethod, type DescService, toBinary } from "@bufbuild/protobuf";
import {
  type FileDescriptorProto,
  FileDescriptorSetSchema,
  MethodOptions_IdempotencyLevel as Idempotency,
} from "@bufbuild/protobuf/wkt";
import { codecFor } from "./codec.ts";
import type { MessageCodec } from "./message-codec.ts";

/** How many messages go each way. */
export type MethodKind = "unary" | "server_streaming" | "client_streaming" | "bidi_streaming";

export interface MethodSchema {
  readonly name: string;
  /** Position in the service as this side declares it. */
  readonly index: number;
  readonly kind: MethodKind;
  readonly input: MessageCodec;
  readonly output: MessageCodec;
  /** Declared free of side effects, or safe to repeat. */
  readonly idempotent: boolean;
  /** Names, types and options of the method and its messages. */
  readonly desc: DescMethod;
}

export interface ServiceSchema {
  readonly typeName: string;
  /** sha256 (hex): equal hash, equal methods at equal indexes with equal layouts. */
  readonly hash: string;
  readonly methods: readonly MethodSchema[];
  /** A `FileDescriptorSet` of the service's file and all it imports, imports first, without comments. */
  readonly descriptorSet: Uint8Array;
}

const schemas = new WeakMap<DescService, ServiceSchema>();

/** The schema of a service from its generated descriptor. */
export function serviceSchemaOf(desc: DescService): ServiceSchema {
  let schema = schemas.get(desc);
  if (schema === undefined) {
    schema = schemaOf(desc, descriptorSetOf(desc.file));
    schemas.set(desc, schema);
  }
  return schema;
}

/** The schema of a service whose descriptor set is at hand. */
export function schemaOf(desc: DescService, descriptorSet: Uint8Array): ServiceSchema {
  const methods = desc.methods.map(methodOf);
  const hash = createHash("sha256").update(desc.typeName);
  for (const { name, kind, input, output } of methods) {
    hash.update(JSON.stringify([name, kind, input.hash, output.hash]));
  }
  return { typeName: desc.typeName, hash: hash.digest("hex"), methods, descriptorSet };
}

function methodOf(desc: DescMethod, index: number): MethodSchema {
  return {
    name: desc.name,
    index,
    kind: desc.methodKind,
    input: codecFor(desc.input),
    output: codecFor(desc.output),
    idempotent: desc.idempotency !== Idempotency.IDEMPOTENCY_UNKNOWN,
    desc,
  };
}

function descriptorSetOf(root: DescFile): Uint8Array {
  const files: FileDescriptorProto[] = [];
  const seen = new Set<DescFile>();
  const visit = (file: DescFile): void => {
    if (seen.has(file)) return;
    seen.add(file);
    for (const dependency of file.dependencies) visit(dependency);
    const { sourceCodeInfo: _, ...rest } = file.proto;
    files.push(rest as FileDescriptorProto);
  };
  visit(root);
  const set = { $typeName: "google.protobuf.FileDescriptorSet" as const, file: files };
  return toBinary(FileDescriptorSetSchema, set);
}
