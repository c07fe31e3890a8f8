/** The details of a status as gRPC and its tools have them: an encoded `google.rpc.Status`. */
import {
  create,
  type DescMessage,
  fromBinary,
  type MessageInitShape,
  type MessageShape,
  toBinary,
} from "@bufbuild/protobuf";
import { type Any, anyPack, anyUnpack } from "@bufbuild/protobuf/wkt";
import { KoalaError, messageOf } from "@koala/interface";
import { StatusSchema } from "../gen/google/rpc/status_pb.ts";

/** A detail of an error that a handler throws: any message, with its descriptor. */
export interface OutgoingDetail<Desc extends DescMessage = DescMessage> {
  readonly desc: Desc;
  readonly value: MessageInitShape<Desc>;
}

/** Throws a `KoalaError` for a value that is no message of its type. */
export function encodeDetails(
  code: number,
  message: string,
  details: readonly OutgoingDetail[],
): Uint8Array {
  try {
    const packed = details.map(({ desc, value }) => anyPack(desc, create(desc, value)));
    return toBinary(StatusSchema, create(StatusSchema, { code, message, details: packed }));
  } catch (cause) {
    const reason = messageOf(cause);
    throw new KoalaError("ERR_MESSAGE_VALUE", `details of an RpcError: ${reason}`, { cause });
  }
}

/** The messages of one type; those that can't be read are left out. */
export function findDetails<Desc extends DescMessage>(
  bytes: Uint8Array,
  desc: Desc,
): MessageShape<Desc>[] {
  return decodeDetails(bytes).flatMap((any) => unpack(any, desc));
}

/** Names of the types of all details. */
export function detailTypes(bytes: Uint8Array): string[] {
  return decodeDetails(bytes).map(({ typeUrl }) => typeUrl.slice(typeUrl.lastIndexOf("/") + 1));
}

/** None for bytes that are something else. */
function decodeDetails(bytes: Uint8Array): Any[] {
  if (bytes.length === 0) return [];
  try {
    return fromBinary(StatusSchema, bytes).details;
  } catch {
    return [];
  }
}

function unpack<Desc extends DescMessage>(any: Any, desc: Desc): MessageShape<Desc>[] {
  try {
    const message = anyUnpack(any, desc);
    return message === undefined ? [] : [message];
  } catch {
    return [];
  }
}
