/**
 * The descriptors that definitions of proto-loader carry, mended. They are made from its parsed files, and lack
 * what descriptors of a compiler have: imports, full names of types, names of fields as they were written (unless it
 * was told `keepCase`), names of the entries of maps, and which fields are `optional`. What is proto2 in them can't be
 * told from proto3.
 */
import { type DescService, fromBinary, isFieldSet } from "@bufbuild/protobuf";
import {
  type DescriptorProto,
  type FieldDescriptorProto,
  FieldDescriptorProtoSchema,
  type FileDescriptorProto,
  FileDescriptorProtoSchema,
} from "@bufbuild/protobuf/wkt";
import { servicesInSet } from "./descriptor-source.ts";

/** Full names of messages and enums, and the file of each. */
type Names = Map<string, string>;

/** All services. Throws when the descriptors can't be mended. */
export function servicesInLoaded(encoded: readonly Uint8Array[]): readonly DescService[] {
  const files = encoded.map((bytes) => fromBinary(FileDescriptorProtoSchema, bytes));
  const names: Names = new Map();
  for (const file of files) declareFile(file, names);
  for (const file of files) mendTypes(file, names);
  const used = typesOfServices(files, names);
  for (const file of files) prune(file, used, names);
  return servicesInSet(files);
}

function declareFile(file: FileDescriptorProto, names: Names): void {
  const declare = (scope: string, name: string): string => {
    const full = joined(scope, name);
    names.set(full, file.name);
    return full;
  };
  const declareMessage = (scope: string, message: DescriptorProto): void => {
    // Entries of maps are found by their field.
    if (message.options?.mapEntry === true) return;
    const full = declare(scope, message.name);
    for (const each of message.enumType) declare(full, each.name);
    for (const each of message.nestedType) declareMessage(full, each);
  };
  for (const each of file.enumType) declare(file.package, each.name);
  for (const each of file.messageType) declareMessage(file.package, each);
}

function mendTypes(file: FileDescriptorProto, names: Names): void {
  // Extensions of options, which say nothing of messages.
  file.extension = [];
  for (const message of file.messageType) {
    mendMessage(message, joined(file.package, message.name), names);
  }
}

function mendMessage(message: DescriptorProto, scope: string, names: Names): void {
  // Extensions come as fields, of the message that they are declared in and of the one that they extend.
  message.field = message.field.filter(
    ({ extendee, name }) => extendee === "" && !name.startsWith("."),
  );
  for (const field of message.field) {
    const entry = entryOf(message, field);
    field.jsonName = field.name;
    field.name = writtenName(field.name);
    if (entry !== undefined) {
      entry.name = `${upperFirst(camelName(field.name))}Entry`;
      field.typeName = `.${scope}.${entry.name}`;
      // Its value may be of a type of the message, as other fields.
      for (const each of entry.field) mendType(each, scope, names);
    } else mendType(field, scope, names);
  }
  for (const nested of message.nestedType) {
    if (nested.options?.mapEntry !== true) {
      mendMessage(nested, joined(scope, nested.name), names);
    }
  }
  mendOneofs(message);
}

/** The entries of a map, which go by the name of its field. */
function entryOf(
  message: DescriptorProto,
  field: FieldDescriptorProto,
): DescriptorProto | undefined {
  return message.nestedType.find(
    ({ name, options }) =>
      options?.mapEntry === true && name === field.typeName && name === upperFirst(field.name),
  );
}

/** Optional fields are alone in a oneof of a name of their own, and these are the last ones. */
function mendOneofs(message: DescriptorProto): void {
  const members = message.oneofDecl.map((_, index) =>
    message.field.filter((field) => isInOneof(field) && field.oneofIndex === index),
  );
  const order = message.oneofDecl
    .map((oneof, index) => {
      const [field, ...others] = members[index]!;
      const isOptional = others.length === 0 && oneof.name === `_${field?.jsonName}`;
      return { oneof, fields: members[index]!, isOptional };
    })
    .sort((one, other) => Number(one.isOptional) - Number(other.isOptional));
  message.oneofDecl = order.map(({ oneof }) => oneof);
  for (const [index, { oneof, fields, isOptional }] of order.entries()) {
    oneof.name = isOptional ? `_${fields[0]!.name}` : writtenName(oneof.name);
    for (const field of fields) {
      field.oneofIndex = index;
      if (isOptional) field.proto3Optional = true;
    }
  }
}

function isInOneof(field: FieldDescriptorProto): boolean {
  return isFieldSet(field, FieldDescriptorProtoSchema.field.oneofIndex);
}

function mendType(field: FieldDescriptorProto, scope: string, names: Names): void {
  const { typeName } = field;
  if (typeName === "" || typeName.startsWith(".")) return;
  field.typeName = `.${fullName(typeName, scope, names)}`;
}

/** What a name means in a message; from the inside out, as protobuf has it. */
function fullName(name: string, scope: string, names: Names): string {
  const found: string[] = [];
  for (let outer = scope; ; outer = outer.slice(0, Math.max(0, outer.lastIndexOf(".")))) {
    const full = joined(outer, name);
    if (names.has(full)) found.push(full);
    if (outer === "") break;
  }
  const [first, second] = found;
  if (first === undefined) throw new Error(`${scope}: no type ${name}`);
  // They are abbreviated by another rule than protobuf's, so it can't be told which one it was.
  if (second !== undefined) throw new Error(`${scope}: ${name} may be ${first} or ${second}`);
  return first;
}

/** The types outside of messages, by their full names, that messages of services are made of. */
function typesOfServices(files: readonly FileDescriptorProto[], names: Names): Set<string> {
  const messages = new Map(
    files.flatMap((file) =>
      file.messageType.map((message) => [joined(file.package, message.name), message] as const),
    ),
  );
  const used = new Set<string>();
  const use = (typeName: string): void => {
    const name = outermost(typeName, names);
    if (used.has(name)) return;
    used.add(name);
    const message = messages.get(name);
    if (message !== undefined) typesIn(message).forEach(use);
  };
  for (const { service } of files) {
    for (const { method } of service) {
      for (const { inputType, outputType } of method) [inputType, outputType].forEach(use);
    }
  }
  return used;
}

/** Leaves out what no service needs, such as the descriptors of options, and imports what is needed. */
function prune(file: FileDescriptorProto, used: ReadonlySet<string>, names: Names): void {
  const isUsed = ({ name }: { name: string }): boolean => used.has(joined(file.package, name));
  file.messageType = file.messageType.filter(isUsed);
  file.enumType = file.enumType.filter(isUsed);
  const types = [
    ...file.messageType.flatMap(typesIn),
    ...file.service.flatMap(({ method }) =>
      method.flatMap(({ inputType, outputType }) => [inputType, outputType]),
    ),
  ];
  const imports = new Set(types.flatMap((type) => names.get(outermost(type, names)) ?? []));
  imports.delete(file.name);
  file.dependency = [...imports];
}

/** The types of all fields, those of nested messages too. */
function typesIn(message: DescriptorProto): string[] {
  return [
    ...message.field.flatMap(({ typeName }) => (typeName === "" ? [] : [typeName])),
    ...message.nestedType.flatMap(typesIn),
  ];
}

/** `.geo.v1.Hotel.Room` is in `geo.v1.Hotel`. */
function outermost(typeName: string, names: Names): string {
  const parts = typeName.slice(1).split(".");
  for (let count = 1; count < parts.length; count++) {
    const name = parts.slice(0, count).join(".");
    if (names.has(name)) return name;
  }
  return parts.join(".");
}

function joined(scope: string, name: string): string {
  return scope === "" ? name : `${scope}.${name}`;
}

/** `hotelIds` was `hotel_ids`, by the rules of style. */
function writtenName(name: string): string {
  return /^[a-z]/.test(name)
    ? name.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)
    : name;
}

function camelName(name: string): string {
  return name.replaceAll(/_+(.?)/g, (_, letter: string) => letter.toUpperCase());
}

function upperFirst(name: string): string {
  return name.slice(0, 1).toUpperCase() + name.slice(1);
}
