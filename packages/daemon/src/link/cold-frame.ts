/** Reads the JSON frames of a link: what the far side says about itself, services and bindings. */
import {
  type Bind,
  coldFrameBytesMax,
  type Describe,
  FrameType,
  frameTypeName,
  type Goaway,
  type Hello,
  LINK_MAGIC,
  LINK_VERSION,
  type Refused,
  type Services,
  SHORT_HEADER_BYTES,
} from "@koala/protocol";
import {
  bindSchema,
  describeSchema,
  goawaySchema,
  helloSchema,
  refusedSchema,
  servicesSchema,
} from "@koala/protocol/schemas";
import type { Memory } from "@koala/shm";

export type ColdFrame =
  | { type: typeof FrameType.HELLO; body: Hello }
  | { type: typeof FrameType.SERVICES; body: Services }
  | { type: typeof FrameType.BIND; body: Bind }
  | { type: typeof FrameType.REFUSED; body: Refused }
  | { type: typeof FrameType.DESCRIBE; body: Describe }
  | { type: typeof FrameType.GOAWAY; body: Goaway };

const schemas = {
  [FrameType.HELLO]: helloSchema,
  [FrameType.SERVICES]: servicesSchema,
  [FrameType.BIND]: bindSchema,
  [FrameType.REFUSED]: refusedSchema,
  [FrameType.DESCRIBE]: describeSchema,
  [FrameType.GOAWAY]: goawaySchema,
} as const;

/** The frame of `length` bytes at `at`, or what is wrong with it. */
export function readColdFrame(
  type: number,
  memory: Memory,
  at: number,
  length: number,
): ColdFrame | string {
  const name = frameTypeName(type);
  const schema = schemas[type as keyof typeof schemas];
  if (schema === undefined) return `a frame of ${name}, which this version does not know`;
  if (length > coldFrameBytesMax) return `a ${name} frame of ${length} bytes`;
  let json: unknown;
  try {
    json = JSON.parse(memory.node.toString("utf8", at + SHORT_HEADER_BYTES, at + length));
  } catch {
    return `a ${name} frame that is not JSON`;
  }
  const parsed = schema.safeParse(json);
  if (!parsed.success) {
    const issue = parsed.error.issues[0];
    return `a malformed ${name}: ${issue?.path.join(".") ?? ""} ${issue?.message ?? ""}`;
  }
  return { type, body: parsed.data } as ColdFrame;
}

/** What keeps two daemons from talking to each other; "" if nothing. */
export function helloProblem(peer: Hello): string {
  if (peer.magic === LINK_MAGIC && peer.version === LINK_VERSION) return "";
  return `HELLO of version ${peer.version}; this daemon speaks version ${LINK_VERSION}: update the older one`;
}
