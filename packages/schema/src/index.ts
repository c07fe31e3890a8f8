/**
 * Protobuf descriptor to memory layout to generated code.
 *
 * @packageDocumentation
 */
export { type LayoutCase, layoutCases } from "./bench-layout.ts";
export { codecFor } from "./codec.ts";
export { type CompareResult, compareServices, type MethodMatch } from "./compare-services.ts";
export { protobufCodecOf } from "./generated-protobuf-codec.ts";
export { segmentBytesMin } from "./limits.ts";
export type { MessageCodec, SegmentSink } from "./message-codec.ts";
export type { ProtobufCodec } from "./protobuf-codec.ts";
export { ProtobufCode, protobufReasons } from "./protobuf-reasons.ts";
export {
  type MethodKind,
  type MethodSchema,
  type ServiceSchema,
  serviceSchemaOf,
} from "./service-schema.ts";
export { type Transcoder, transcoderFor } from "./transcoder.ts";
export { serviceSchemaFrom } from "./untrusted-service.ts";
export { ValidateCode, validateReasons } from "./validate-reasons.ts";
