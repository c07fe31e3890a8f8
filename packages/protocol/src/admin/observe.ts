/**
 * Calls as an operator sees them: `/v1/calls` (what was recorded of them), `/v1/top` (counters), `/v1/tap`
 * (a stream of them, decoded) and `/v1/policies/try` (what a policy would have done to them).
 */

/** One end of a call: an app of this host, another daemon, another runtime of this one, or a policy. */
export interface CallParty {
  kind: "app" | "peer" | "runtime" | "policy";
  /** `name[pid]` of an app; name and address of a peer. */
  name: string;
}

/** When a call came to which place, in microseconds since its request was taken; -1: it did not, or nobody knows. */
export interface CallHops {
  /** The policies before the server had let it go on, and the server was chosen. */
  policies: number;
  /** It was handed to who serves it, or to the link that leads there. */
  sent: number;
  /** The reply, or the status in its place, came. */
  replied: number;
  /** The reply was handed over. */
  ended: number;
}

/** What this daemon knows of one call. */
export interface CallReport {
  /** Names the call in this daemon: in denials, logs and traces. */
  id: string;
  /** How the daemon that ended it names it; "" when that is this one, or it has not said so. */
  remoteId: string;
  runtime: number;
  /** Why it was recorded. */
  why: "sampled" | "tapped" | "slow" | "failed" | "denied";
  /** ISO 8601. */
  startedAt: string;
  service: string;
  method: string;
  target: string;
  /** Who made it, wherever that is; `host` is "" for apps of this host. */
  caller: { app: string; host: string; uid: number; pid: number };
  /** Where this daemon had it from. */
  from: CallParty;
  /** Where it sent it; null when it did not. */
  to: CallParty | null;
  status: number;
  statusName: string;
  origin: string;
  message: string;
  /** Who denied it, by which rule; "" when nobody did. */
  policy: string;
  rule: string;
  /** The policies on its way through this daemon, in order, as `name (client)`; those it has got to. */
  policies: string[];
  hops: CallHops;
  /** False: hops are known to a round of the runtime, which is some ten or hundred microseconds. */
  isPrecise: boolean;
  /** Of the messages, without metadata. */
  requestBytes: number;
  replyBytes: number;
}

/** Answer of `GET /v1/calls`, newest first. */
export interface CallsAnswer {
  calls: CallReport[];
}

/** Counters of one client of an app, or of what a peer calls here; they only grow while it is there. */
export interface TrafficStatus {
  runtime: number;
  /** Unique in its runtime while that runs: rates are differences of rows with the same key. */
  key: string;
  /** The calling app, as in messages; for calls of peers the peer. */
  caller: string;
  /** Id of the calling app; -1 for a peer. */
  app: number;
  target: string;
  service: string;
  calls: number;
  /** Those that ended with another status than OK. */
  errors: number;
  open: number;
  requestBytes: number;
  replyBytes: number;
  /**
   * How long sampled calls took, in pairs: bucket, count. Bucket `b` is for times up to
   * `latencyBucketMicros(b)`.
   */
  latency: number[];
}

/** An app in `/v1/top`. */
export interface AppTraffic {
  id: number;
  runtime: number;
  name: string;
  pid: number;
  callsMade: number;
  callsServed: number;
  /** Open calls, made and served. */
  outgoing: number;
  incoming: number;
  /** Bytes of messages that it has sent, and that it has got. */
  bytesOut: number;
  bytesIn: number;
  /** Shared memory: rings and heaps. */
  sharedBytes: number;
}

/** Answer of `GET /v1/top`: counters of one moment; two of them make rates. */
export interface TopAnswer {
  /** Monotonic clock of the daemon, milliseconds. */
  atMs: number;
  apps: AppTraffic[];
  traffic: TrafficStatus[];
  runtimes: { index: number; load: number; cpuSeconds: number; openCalls: number; apps: number }[];
}

/** Steps of two in time: 8 buckets for each. */
const bucketsPerOctave = 8;
/** Buckets of a histogram of latencies: from a microsecond to more than an hour. */
export const latencyBuckets: number = 32 * bucketsPerOctave;

/** The bucket of a time. */
export function latencyBucketOf(micros: number): number {
  if (micros <= 1) return 0;
  return Math.min(latencyBuckets - 1, Math.ceil(Math.log2(micros) * bucketsPerOctave));
}

/** Upper end of a bucket. */
export function latencyBucketMicros(bucket: number): number {
  return 2 ** (bucket / bucketsPerOctave);
}

/** A message as JSON, redacted; or why there is none. */
export interface TappedMessage {
  /** Bytes of the message as it was sent. */
  bytes: number;
  json?: unknown;
  /** Why there is no JSON. */
  problem?: string;
}

/** A call in a tap. */
export interface TappedCall extends CallReport {
  /** One, or the first ones of a stream. */
  requests: TappedMessage[];
  /** The same; none for a call that failed. */
  replies: TappedMessage[];
}

/** Calls that this tap has not shown. */
export interface TapGap {
  /** Too many at a time: not looked at. */
  missed: number;
  /** The reader was too slow. */
  dropped: number;
  /** The condition could not be evaluated; and for the last of them why. */
  failed: number;
  reason: string;
}

/** A line of `GET /v1/tap`. */
export type TapLine = { call: TappedCall } | { gap: TapGap };

/** Body of `POST /v1/policies/try`. Nothing of what runs is changed. */
export interface TryPolicyRequest {
  /** Policies as a file of TOML has them in `[[policy]]`; relative paths in it are from `folder`. */
  toml?: { text: string; file: string };
  /** The name of an attached policy, enabled or not. */
  name?: string;
  /** How long to record calls. */
  forMs: number;
  /** Calls to record, at most; recording ends with the last of them. */
  callsMax: number;
}

/** What a policy would have done to calls of one kind. */
export interface TryVerdict {
  policy: string;
  verdict: "denied" | "held" | "failed";
  rule: string;
  status: string;
  message: string;
  /** The calling app, `app@host` for apps of other hosts. */
  caller: string;
  service: string;
  method: string;
  calls: number;
  /** Request ids of some of them. */
  examples: string[];
}

/** What one policy has seen. */
export interface TriedPolicy {
  name: string;
  use: string;
  /** Calls that its `match` takes. */
  seen: number;
  denied: number;
  held: number;
  /** Why it could not be tried on all of them; "" when it could. */
  failure: string;
}

/** Answer of `POST /v1/policies/try`. */
export interface TryPolicyAnswer {
  /** How long calls were recorded. */
  recordedMs: number;
  /** Calls that the policies were run on. */
  calls: number;
  /** Calls that came in that time and were not recorded: too many or too large. */
  missed: number;
  policies: TriedPolicy[];
  verdicts: TryVerdict[];
  notes: string[];
}
