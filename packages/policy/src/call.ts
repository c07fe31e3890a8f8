/** A call as policies see it. */
import type { Origin, Status } from "@koala/interface";
import type { MethodSchema } from "@koala/schema";
import type { Verdict } from "./verdict.ts";

/**
 * Where a policy acts: in the daemon of the calling app (`client`), or in that of the serving app
 * (`server`). A call between two apps of one host passes both, one after the other.
 */
export type Side = "client" | "server";

/**
 * Who makes a call. On the caller's host `pid` and `uid` come from the kernel; across a link the daemon
 * over there vouches for `user`, and `pid` is 0. `app` and `labels` are what the app said of itself when
 * it connected.
 */
export interface Caller {
  readonly app: string;
  /** Name of the caller's daemon; "" for apps of this host. */
  readonly host: string;
  /** Numeric user id, -1 when it is not known. */
  readonly uid: number;
  readonly pid: number;
  readonly labels: Readonly<Record<string, string>>;
}

/** One place that can serve a call: an app of this host, another runtime, or a daemon that peers with this one. */
export interface Endpoint {
  /** Stable while the endpoint is there. */
  readonly label: string;
  readonly isLocal: boolean;
  /** App threads behind it that serve the name. */
  readonly instances: number;
  /** Calls that routing policies of this runtime have sent there and that have not ended. */
  readonly inFlight: number;
}

/** W3C trace context; ids in lower-case hex. */
export interface TraceContext {
  /** 32 digits. */
  readonly traceId: string;
  /** 16 digits: the span that the receiver's span is a child of. */
  readonly spanId: string;
  readonly sampled: boolean;
}

/** Headers of a request or trailers of a reply. Keys in lower case; those that end in `-bin` have bytes. */
export interface PolicyMetadata {
  /** The first value of the key. */
  get(key: string): string | Uint8Array | undefined;
  /** Replaces all values of the key. */
  set(key: string, value: string | Uint8Array): void;
  delete(key: string): void;
  entries(): readonly (readonly [string, string | Uint8Array])[];
}

/**
 * One message of a streaming call, for the time of its handler. Which side of the call a message comes from
 * is not the side on which the policy acts.
 */
export interface StreamMessage<Request = unknown, Response = unknown> {
  /** `client`: a request; `server`: a response. */
  readonly from: "client" | "server";
  /** How many went before it in this direction, as far as this daemon has passed them on. */
  readonly index: number;
  /** Bytes of the message. */
  readonly bytes: number;
  /** The typed message, a view of a private copy; valid until the handler returns. */
  readonly value: Request | Response;
  /** Sends another message of the same type instead. */
  replace(message: Request | Response): void;
}

/**
 * One call. The object is reused when the call has ended: a policy must not keep it longer than until its
 * `onResponse`. `request` and `response` are read from private copies, so nobody can change what a policy
 * has seen; views of them end with the handler that reads them.
 */
export interface PolicyCall<Request = unknown, Response = unknown> {
  /** Names the call in logs, denials and traces of this daemon. */
  readonly requestId: string;
  readonly side: Side;
  /** The mesh name that is called. */
  readonly target: string;
  /** Full name of the service, `geo.v1.Geo`. */
  readonly service: string;
  readonly method: MethodSchema;
  readonly caller: Caller;
  /** Milliseconds until the deadline, at least 1; 0 when there is none. */
  readonly timeLeftMs: number;
  /**
   * The typed request. As metadata and trace it is there until it has been passed on, not in `onResponse`.
   * Undefined for a call that takes a stream: its requests come to `onStreamMessage`.
   */
  readonly request: Request;
  /** Bytes of the request's message. */
  readonly requestBytes: number;
  readonly metadata: PolicyMetadata;
  /** Undefined when the caller sent none and no policy made one. */
  trace: TraceContext | undefined;
  /** Classes of service: larger goes first. 0 unless a policy says otherwise. */
  priority: number;
  /** What `prepare` of this policy returned for the method. */
  readonly prepared: unknown;
  /** Belongs to this policy and this call: what `onRequest` leaves here, `onResponse` finds. */
  local: unknown;
  /** Whom the call was sent to; undefined before that. */
  readonly endpoint: Endpoint | undefined;

  /** The rest is for `onResponse`. */
  readonly status: Status;
  readonly origin: Origin;
  readonly statusMessage: string;
  /** The typed reply; undefined unless the status is OK, and for a call that returns a stream. */
  readonly response: Response | undefined;
  readonly responseBytes: number;
  /** Of the reply. What `onRequest` sets here goes along with a denial. */
  readonly trailers: PolicyMetadata;

  /** Sends another message of the same type instead. For handlers only. */
  setRequest(message: Request): void;
  setResponse(message: Response): void;
  /**
   * Ends the call with this status and `origin: policy`; the caller's error names the policy, the rule and
   * the request id. In a handler it is returned (`return call.deny(…)`); for a held call it acts at once.
   */
  deny(status: Status, message: string, rule?: string): Verdict;
  /** `return call.hold()` in `onRequest`: the call waits, in order, until `resume` or `deny`. */
  hold(): Verdict;
  /** A held call goes on behind the policy that held it. */
  resume(): void;
}
