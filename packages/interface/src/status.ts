/**
 * The outcome of a call: gRPC's 17 canonical codes, and who produced the outcome.
 *
 * Source of the numbers: the gRPC status code table (grpc.io, "Status codes and their use in gRPC").
 * They appear in ring slots and in frames, so they never change.
 */

/** gRPC status codes by name. */
export const Status = {
  OK: 0,
  CANCELLED: 1,
  UNKNOWN: 2,
  INVALID_ARGUMENT: 3,
  DEADLINE_EXCEEDED: 4,
  NOT_FOUND: 5,
  ALREADY_EXISTS: 6,
  PERMISSION_DENIED: 7,
  RESOURCE_EXHAUSTED: 8,
  FAILED_PRECONDITION: 9,
  ABORTED: 10,
  OUT_OF_RANGE: 11,
  UNIMPLEMENTED: 12,
  INTERNAL: 13,
  UNAVAILABLE: 14,
  DATA_LOSS: 15,
  UNAUTHENTICATED: 16,
} as const;
export type Status = (typeof Status)[keyof typeof Status];

/** How many status codes there are; a larger number from a peer is read as UNKNOWN. */
export const statusCount = 17;

const statusNames: readonly string[] = Object.keys(Status);

/** The name of a status code, `UNKNOWN` for a number that is none. */
export function statusName(code: number): string {
  return statusNames[code] ?? "UNKNOWN";
}

/** A number from an untrusted place as a status code. */
export function statusFrom(code: number): Status {
  return code >= 0 && code < statusCount && Number.isInteger(code)
    ? (code as Status)
    : Status.UNKNOWN;
}

/**
 * Who decided how a call ended, seen from the caller.
 *
 * `APP` the calling process itself (cancelled, could not write the message) · `LOCAL_DAEMON` the daemon
 * of the caller's host · `POLICY` a policy on the way · `LINK` the connection between two daemons ·
 * `REMOTE_DAEMON` the daemon of the server's host · `REMOTE_APP` the handler or its process.
 */
export const Origin = {
  APP: 0,
  LOCAL_DAEMON: 1,
  POLICY: 2,
  LINK: 3,
  REMOTE_DAEMON: 4,
  REMOTE_APP: 5,
} as const;
export type Origin = (typeof Origin)[keyof typeof Origin];

const originNames = [
  "app",
  "local-daemon",
  "policy",
  "link",
  "remote-daemon",
  "remote-app",
] as const;
export type OriginName = (typeof originNames)[number];

/** The name of an origin as logs, errors and `-o json` show it. */
export function originName(origin: number): OriginName {
  return originNames[origin] ?? "remote-app";
}

/** A number from an untrusted place as an origin. */
export function originFrom(origin: number): Origin {
  return origin >= 0 && origin < originNames.length ? (origin as Origin) : Origin.REMOTE_APP;
}
