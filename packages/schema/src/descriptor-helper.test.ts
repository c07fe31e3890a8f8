/** Descriptors made by hand, for what no compiler would write. */
import {
  create,
  createFileRegistry,
  type DescMessage,
  type MessageInitShape,
  toBinary,
} from "@bufbuild/protobuf";
import {
  type FileDescriptorProto,
  FileDescriptorProtoSchema,
  FileDescriptorSetSchema,
} from "@bufbuild/protobuf/wkt";

export type FileInit = MessageInitShape<typeof FileDescriptorProtoSchema>;
export type MessageInit = NonNullable<FileInit["messageType"]>[number];
export type FieldInit = NonNullable<MessageInit["field"]>[number];

/** Numbers of `FieldDescriptorProto.Type`. */
export const T = {
  double: 1,
  float: 2,
  int64: 3,
  int32: 5,
  bool: 8,
  string: 9,
  message: 11,
  bytes: 12,
  enum: 14,
};

/** An optional field of a scalar type. */
export function field(name: string, number: number, type: number, more: FieldInit = {}): FieldInit {
  return { name, number, type, label: 1, ...more };
}

export function fileOf(init: FileInit): FileDescriptorProto {
  return create(FileDescriptorProtoSchema, { name: "test.proto", syntax: "proto3", ...init });
}

/** The bytes of a descriptor set. */
export function setOf(...files: FileInit[]): Uint8Array {
  const set = create(FileDescriptorSetSchema, { file: files.map(fileOf) });
  return toBinary(FileDescriptorSetSchema, set);
}

/** A message type of one file, without the checks for untrusted descriptors. */
export function messageOf(file: FileInit, typeName: string): DescMessage {
  const set = create(FileDescriptorSetSchema, { file: [fileOf(file)] });
  const desc = createFileRegistry(set).getMessage(typeName);
  if (desc === undefined) throw new Error(`no ${typeName} in the file`);
  return desc;
}
