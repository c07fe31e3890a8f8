/** Errors as Connect writes them: a word, a text, details with their types, and a status of HTTP. */
import { BinaryReader, WireType } from "@bufbuild/protobuf/wire";
import { Status, statusName } from "@koala/interface";
import type { Outcome } from "./responder.ts";

/** The error in a response. */
export interface ConnectErrorJson {
  readonly code: string;
  readonly message?: string;
  readonly details?: readonly { readonly type: string; readonly value: string }[];
}

const httpStatuses: Readonly<Record<Status, number>> = {
  [Status.OK]: 200,
  [Status.CANCELLED]: 499,
  [Status.UNKNOWN]: 500,
  [Status.INVALID_ARGUMENT]: 400,
  [Status.DEADLINE_EXCEEDED]: 504,
  [Status.NOT_FOUND]: 404,
  [Status.ALREADY_EXISTS]: 409,
  [Status.PERMISSION_DENIED]: 403,
  [Status.RESOURCE_EXHAUSTED]: 429,
  [Status.FAILED_PRECONDITION]: 400,
  [Status.ABORTED]: 409,
  [Status.OUT_OF_RANGE]: 400,
  [Status.UNIMPLEMENTED]: 501,
  [Status.INTERNAL]: 500,
  [Status.UNAVAILABLE]: 503,
  [Status.DATA_LOSS]: 500,
  [Status.UNAUTHENTICATED]: 401,
};

/** The status of HTTP for an outcome. */
export function httpStatusOf(status: number): number {
  return httpStatuses[status as Status] ?? 500;
}

/** Connect's word for a status: `invalid_argument`; it spells `canceled` with one l. */
export function connectCode(status: number): string {
  return status === Status.CANCELLED ? "canceled" : statusName(status).toLowerCase();
}

/** The error for an outcome that is none of OK. */
export function connectError({ status, message, details }: Outcome): ConnectErrorJson {
  const items = detailsOf(details);
  return {
    code: connectCode(status),
    ...(message === "" ? {} : { message }),
    ...(items.length === 0 ? {} : { details: items }),
  };
}

/** The `google.protobuf.Any`s in an encoded `google.rpc.Status`; none when it is something else. */
function detailsOf(bytes: Uint8Array): { type: string; value: string }[] {
  const details: { type: string; value: string }[] = [];
  try {
    const reader = new BinaryReader(bytes);
    while (reader.pos < reader.len) {
      const [field, wireType] = reader.tag();
      if (field === 3 && wireType === WireType.LengthDelimited) details.push(anyOf(reader.bytes()));
      else reader.skip(wireType, field);
    }
  } catch {
    // Two sides may have agreed on other details than gRPC's; those have no place here.
    return [];
  }
  return details;
}

function anyOf(bytes: Uint8Array): { type: string; value: string } {
  const reader = new BinaryReader(bytes);
  let type = "";
  let value: Uint8Array = new Uint8Array(0);
  while (reader.pos < reader.len) {
    const [field, wireType] = reader.tag();
    if (field === 1 && wireType === WireType.LengthDelimited) type = reader.string();
    else if (field === 2 && wireType === WireType.LengthDelimited) value = reader.bytes();
    else reader.skip(wireType, field);
  }
  return {
    type: type.slice(type.lastIndexOf("/") + 1),
    value: Buffer.from(value).toString("base64").replaceAll("=", ""),
  };
}
