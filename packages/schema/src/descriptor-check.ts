/**
 * Checks a `FileDescriptorSet` from a peer: sizes, names, numbers and references. protobuf-es trusts that a
 * compiler made it; here nobody says so.
 */
import type {
  DescriptorProto,
  EnumDescriptorProto,
  FieldDescriptorProto,
  FileDescriptorProto,
  FileDescriptorSet,
} from "@bufbuild/protobuf/wkt";
import { KoalaError } from "@koala/interface";
import {
  descriptorEnumValuesMax,
  descriptorFieldsMax,
  descriptorFilesMax,
  descriptorMessagesMax,
  descriptorNameBytesMax,
  messageFieldsMax,
} from "./limits.ts";

/** The error for a descriptor that can't be used. `where` names file, type and field. */
export function descriptorError(where: string, cause?: unknown): KoalaError {
  return new KoalaError("ERR_SCHEMA_DESCRIPTOR", where, { cause });
}

type Kind = "message" | "enum" | "service" | "extension";

interface Census {
  readonly kinds: Map<string, Kind>;
  messages: number;
  fields: number;
  enumValues: number;
}

const identifier = /^[A-Za-z_][A-Za-z0-9_]*$/;
const fieldNumberMax = 2 ** 29 - 1;
const typeGroup = 10;
const typeMessage = 11;
const typeEnum = 14;
const typeMax = 18;
const labelRepeated = 3;

/** Throws for the first thing that is wrong. */
export function checkDescriptorSet(set: FileDescriptorSet): void {
  atMost(set.file.length, descriptorFilesMax, "descriptor set", "files");
  checkFileOrder(set.file);
  const census: Census = { kinds: new Map(), messages: 0, fields: 0, enumValues: 0 };
  for (const file of set.file) countFile(file, census);
  for (const file of set.file) {
    const prefix = file.package === "" ? "" : `${file.package}.`;
    for (const type of file.messageType) checkMessage(file, prefix, type, census);
    for (const field of file.extension) checkType(file, "extension", field, census);
    for (const service of file.service) {
      for (const { name, inputType, outputType } of service.method) {
        const where = `${file.name}: ${prefix}${service.name}/${name}`;
        checkReference(where, inputType, "message", census);
        checkReference(where, outputType, "message", census);
      }
    }
  }
}

/** Imports come before the files that need them, as `protoc --descriptor_set_out` writes them: no cycles. */
function checkFileOrder(files: readonly FileDescriptorProto[]): void {
  const seen = new Set<string>();
  for (const file of files) {
    if (file.name.length === 0 || file.name.length > descriptorNameBytesMax) {
      throw descriptorError("descriptor set: a file has no name, or a very long one");
    }
    for (const name of file.dependency) {
      if (!seen.has(name)) {
        const problem = files.some((f) => f.name === name)
          ? "comes later in the set or imports it in a cycle"
          : "is not in the set";
        throw descriptorError(`${file.name}: imports ${quoted(name)}, which ${problem}`);
      }
    }
    if (seen.has(file.name)) throw descriptorError(`${file.name}: is in the set twice`);
    seen.add(file.name);
  }
}

function countFile(file: FileDescriptorProto, census: Census): void {
  if (file.package !== "") {
    for (const part of file.package.split(".")) checkName(file.name, "package", part);
  }
  const prefix = file.package === "" ? "" : `${file.package}.`;
  for (const type of file.messageType) countMessage(file, prefix, type, census);
  for (const type of file.enumType) countEnum(file, prefix, type, census);
  for (const extension of file.extension) {
    checkName(file.name, "extension", extension.name);
    declare(file, `${prefix}${extension.name}`, "extension", census);
  }
  for (const service of file.service) {
    checkName(file.name, "service", service.name);
    declare(file, `${prefix}${service.name}`, "service", census);
    const names = new Set<string>();
    for (const { name } of service.method) {
      checkName(`${file.name}: ${prefix}${service.name}`, "method", name);
      if (names.has(name)) {
        throw descriptorError(`${file.name}: ${prefix}${service.name} has method ${name} twice`);
      }
      names.add(name);
    }
  }
}

function countMessage(
  file: FileDescriptorProto,
  prefix: string,
  type: DescriptorProto,
  census: Census,
): void {
  checkName(file.name, "message", type.name);
  const typeName = `${prefix}${type.name}`;
  declare(file, typeName, "message", census);
  census.messages++;
  census.fields += type.field.length + type.extension.length;
  atMost(census.messages, descriptorMessagesMax, file.name, "message types so far");
  atMost(census.fields, descriptorFieldsMax, file.name, "fields so far");
  atMost(type.field.length, messageFieldsMax, `${file.name}: ${typeName}`, "fields");
  for (const nested of type.nestedType) countMessage(file, `${typeName}.`, nested, census);
  for (const nested of type.enumType) countEnum(file, `${typeName}.`, nested, census);
  for (const extension of type.extension) {
    checkName(`${file.name}: ${typeName}`, "extension", extension.name);
    declare(file, `${typeName}.${extension.name}`, "extension", census);
  }
}

function countEnum(
  file: FileDescriptorProto,
  prefix: string,
  type: EnumDescriptorProto,
  census: Census,
): void {
  checkName(file.name, "enum", type.name);
  const typeName = `${prefix}${type.name}`;
  declare(file, typeName, "enum", census);
  census.enumValues += type.value.length;
  atMost(census.enumValues, descriptorEnumValuesMax, file.name, "enum values so far");
  if (type.value.length === 0)
    throw descriptorError(`${file.name}: enum ${typeName} has no values`);
  for (const value of type.value) checkName(`${file.name}: ${typeName}`, "enum value", value.name);
}

function declare(file: FileDescriptorProto, typeName: string, kind: Kind, census: Census): void {
  if (typeName.length > descriptorNameBytesMax) {
    throw descriptorError(`${file.name}: the name ${quoted(typeName)} is too long`);
  }
  if (census.kinds.has(typeName)) {
    throw descriptorError(`${file.name}: ${typeName} is declared twice`);
  }
  census.kinds.set(typeName, kind);
}

function checkMessage(
  file: FileDescriptorProto,
  prefix: string,
  type: DescriptorProto,
  census: Census,
): void {
  const typeName = `${prefix}${type.name}`;
  const numbers = new Set<number>();
  const names = new Set<string>();
  for (const oneof of type.oneofDecl) checkName(`${file.name}: ${typeName}`, "oneof", oneof.name);
  for (const field of type.field) {
    checkName(`${file.name}: ${typeName}`, "field", field.name);
    const where = `${file.name}: ${typeName}.${field.name}`;
    const { number } = field;
    if (number < 1 || number > fieldNumberMax) {
      throw descriptorError(`${where}: field number ${number} is not in 1…${fieldNumberMax}`);
    }
    if (numbers.has(number))
      throw descriptorError(`${where}: field number ${number} is used twice`);
    if (names.has(field.name)) throw descriptorError(`${where}: the name is used twice`);
    numbers.add(number);
    names.add(field.name);
    checkType(file, typeName, field, census);
    if (field.proto3Optional || hasOneof(field)) {
      const { oneofIndex } = field;
      if (oneofIndex < 0 || oneofIndex >= type.oneofDecl.length) {
        throw descriptorError(`${where}: oneof ${oneofIndex} does not exist`);
      }
      if (field.label === labelRepeated) {
        throw descriptorError(`${where}: a repeated field can't be in a oneof`);
      }
    }
  }
  checkMapEntry(file, typeName, type);
  for (const nested of type.nestedType) checkMessage(file, `${typeName}.`, nested, census);
  for (const extension of type.extension) checkType(file, typeName, extension, census);
}

/** `oneof_index` has explicit presence: 0 is an index. */
function hasOneof(field: FieldDescriptorProto): boolean {
  return Object.hasOwn(field, "oneofIndex");
}

function checkType(
  file: FileDescriptorProto,
  typeName: string,
  field: FieldDescriptorProto,
  census: Census,
): void {
  const where = `${file.name}: ${typeName}.${field.name}`;
  const type: number = field.type;
  // Enums of descriptors are closed: a type from another world is absent here, and the default is double.
  if (!Object.hasOwn(field, "type") || type < 1 || type > typeMax) {
    throw descriptorError(`${where}: its type is not one of protobuf's`);
  }
  if (type === typeMessage || type === typeGroup) {
    checkReference(where, field.typeName, "message", census);
  } else if (type === typeEnum) {
    checkReference(where, field.typeName, "enum", census);
  }
}

function checkReference(where: string, typeName: string, kind: Kind, census: Census): void {
  const name = typeName.startsWith(".") ? typeName.slice(1) : typeName;
  const found = census.kinds.get(name);
  if (found === kind) return;
  const problem = found === undefined ? "which is not in the set" : `which is no ${kind}`;
  throw descriptorError(`${where}: refers to ${quoted(typeName)}, ${problem}`);
}

function checkMapEntry(file: FileDescriptorProto, typeName: string, type: DescriptorProto): void {
  if (type.options?.mapEntry !== true) return;
  const key = type.field.find((f) => f.number === 1);
  const value = type.field.find((f) => f.number === 2);
  // Every integral type and string: all but double, float, group, message, bytes and enum.
  const isKey = key !== undefined && ![1, 2, 10, 11, 12, 14].includes(key.type);
  const areSingular = type.field.every((f) => (f.label as number) !== labelRepeated);
  if (type.field.length === 2 && isKey && value !== undefined && areSingular) return;
  throw descriptorError(`${file.name}: ${typeName} is not what a map field makes of its entry`);
}

function checkName(where: string, kind: string, name: string): void {
  if (identifier.test(name) && name.length <= descriptorNameBytesMax) return;
  throw descriptorError(`${where}: ${quoted(name)} is not a name for a ${kind}`);
}

function atMost(count: number, max: number, where: string, what: string): void {
  if (count > max) {
    throw descriptorError(`${where}: has ${count} ${what}, at most ${max} are taken`);
  }
}

function quoted(text: string): string {
  return JSON.stringify(text.slice(0, 100));
}
