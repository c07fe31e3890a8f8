/** A service schema from descriptors that a peer sent: measured and checked before anything is made of it. */
import { createFileRegistry, type DescService, fromBinary } from "@bufbuild/protobuf";
import { type FileDescriptorSet, FileDescriptorSetSchema } from "@bufbuild/protobuf/wkt";
import { KoalaError, messageOf } from "@koala/interface";
import { checkDescriptorSet, descriptorError } from "./descriptor-check.ts";
import { closureOf, layoutOf } from "./layout.ts";
import { descriptorBytesMax, serviceMethodsMax, serviceTypesMax } from "./limits.ts";
import { type ServiceSchema, schemaOf } from "./service-schema.ts";

/**
 * The schema of `serviceTypeName` in an untrusted `FileDescriptorSet`. Throws a KoalaError
 * `ERR_SCHEMA_DESCRIPTOR` that says which file, message and field is wrong, or which limit was passed.
 */
export function serviceSchemaFrom(
  descriptorSet: Uint8Array,
  serviceTypeName: string,
): ServiceSchema {
  if (descriptorSet.length > descriptorBytesMax) {
    const limit = `at most ${descriptorBytesMax} bytes are taken`;
    throw descriptorError(`descriptor set: has ${descriptorSet.length} bytes, ${limit}`);
  }
  // A copy: the bytes may lie in memory that the peer still writes to.
  const bytes = new Uint8Array(descriptorSet);
  const set = parse(bytes);
  checkDescriptorSet(set);
  try {
    const service = createFileRegistry(set).getService(serviceTypeName);
    if (service === undefined) {
      const name = JSON.stringify(serviceTypeName.slice(0, 200));
      throw descriptorError(`descriptor set: has no service ${name}`);
    }
    if (service.methods.length > serviceMethodsMax) {
      const count = `${service.methods.length} methods, at most ${serviceMethodsMax} are taken`;
      throw descriptorError(`${service.file.proto.name}: ${service.typeName} has ${count}`);
    }
    checkReach(service);
    return schemaOf(service, bytes);
  } catch (error) {
    if (error instanceof KoalaError) throw error;
    throw descriptorError(`descriptor set: ${messageOf(error)}`, error);
  }
}

function checkReach(service: DescService): void {
  const types = new Set(service.methods.flatMap(({ input, output }) => [input, output]));
  let reached = 0;
  for (const type of types) {
    reached += closureOf(layoutOf(type)).length;
    if (reached > serviceTypesMax) {
      const limit = `message types method by method, at most ${serviceTypesMax} are taken`;
      throw descriptorError(
        `${service.file.proto.name}: ${service.typeName} reaches too many ${limit}`,
      );
    }
  }
}

function parse(bytes: Uint8Array): FileDescriptorSet {
  try {
    return fromBinary(FileDescriptorSetSchema, bytes);
  } catch (error) {
    const text = `descriptor set: not a google.protobuf.FileDescriptorSet: ${messageOf(error)}`;
    throw descriptorError(text, error);
  }
}
