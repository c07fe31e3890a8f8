/** What a decoder's code means. The number of a sentence never changes: codes appear in logs and metrics. */
export const protobufReasons: readonly string[] = [
  "the bytes are in order",
  "a varint does not end within ten bytes",
  "the bytes end in the middle of a field",
  "a length runs past the end of what it is in",
  "a tag is longer than a field number and a wire type can be",
  "a field has the number 0",
  "a wire type is 6 or 7, which protobuf does not have",
  "a group ends that has not begun, or with another number",
  "a packed list ends in the middle of an element",
  "a string is not valid UTF-8",
  "messages or groups are nested more than 100 deep",
  "a required field is missing",
  "the message takes more than 2 GiB, in its encoding or in memory",
];

/** Codes by name, for the code that makes them. */
export const ProtobufCode = {
  OK: 0,
  VARINT: 1,
  TRUNCATED: 2,
  LENGTH: 3,
  TAG: 4,
  FIELD_ZERO: 5,
  WIRE_TYPE: 6,
  END_GROUP: 7,
  PACKED: 8,
  TEXT: 9,
  DEPTH: 10,
  REQUIRED: 11,
  TOO_LARGE: 12,
} as const;
export type ProtobufCode = (typeof ProtobufCode)[keyof typeof ProtobufCode];
