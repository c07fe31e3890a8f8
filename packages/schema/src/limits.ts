/**
 * Every bound of this package, with its reason. What an untrusted peer sends is measured against these
 * before anything is allocated or compiled for it.
 */

/** Bytes values at least this long go through the segment sink instead of being copied inline. */
export const segmentBytesMin = 4096;

/** Nested messages in one message; protobuf implementations agree on 100. */
export const messageDepthMax = 100;

/** Bytes of one message in protobuf's encoding: lengths in it are signed 32-bit numbers everywhere. */
export const protobufBytesMax: number = 2 ** 31 - 1;

/** Bytes of a `FileDescriptorSet` that a peer may register. */
export const descriptorBytesMax: number = 1 << 20;

/** Files in one descriptor set. */
export const descriptorFilesMax = 256;

/** Message types in one descriptor set, nested types and map entries included. */
export const descriptorMessagesMax = 2048;

/** Fields in one descriptor set. */
export const descriptorFieldsMax = 20_000;

/** Fields in one message type: generated functions grow with it, and V8 stops optimizing huge ones. */
export const messageFieldsMax = 2_000;

/** Enum values in one descriptor set. */
export const descriptorEnumValuesMax = 20_000;

/** Methods in one service. */
export const serviceMethodsMax = 256;

/**
 * Message types that the methods of one service reach, each method's own sum: functions are generated for
 * each type that a method takes or returns, with all types below it.
 */
export const serviceTypesMax = 16_384;

/** Bytes of one name (package, type, field) in a descriptor from a peer. */
export const descriptorNameBytesMax = 512;
