/** What is measured. */

/** What a load program does. */
export type LoadMethod = "echo" | "put" | StreamMethod;
export type StreamMethod = "down" | "up" | "both";

/** One kind of load. */
export interface LoadCase {
  readonly name: string;
  /** Said above the table. */
  readonly title: string;
  /**
   * `echo` sends the bytes back, `put` answers with a number; the others are streams: from the server, from
   * the client, and there and back.
   */
  readonly method: LoadMethod;
  /** Bytes of the payload. */
  readonly bytes: number;
  /** Text beside the payload of `echo`; none when not given. */
  readonly text?: string;
  readonly inFlight: number;
  /** What systems are compared by: the median latency, or the calls per second. */
  readonly comparedBy: "latency" | "rate";
}

export const loadCases: readonly LoadCase[] = [
  {
    name: "latency",
    title: "64 B there and back, 1 in flight",
    method: "echo",
    bytes: 64,
    inFlight: 1,
    comparedBy: "latency",
  },
  {
    name: "rate",
    title: "32 B there and back, 128 in flight, one client process",
    method: "echo",
    bytes: 32,
    inFlight: 128,
    comparedBy: "rate",
  },
  {
    name: "goodput",
    title: "1 MB there, a number back, 32 in flight",
    method: "put",
    bytes: 1 << 20,
    inFlight: 32,
    comparedBy: "rate",
  },
  {
    name: "stream",
    title: "64 B messages from the server, one stream",
    method: "down",
    bytes: 64,
    inFlight: 1,
    comparedBy: "rate",
  },
  {
    name: "stream-up",
    title: "64 B messages from the client, one stream",
    method: "up",
    bytes: 64,
    inFlight: 1,
    comparedBy: "rate",
  },
  {
    name: "stream-both",
    title: "64 B messages there and back, one stream",
    method: "both",
    bytes: 64,
    inFlight: 1,
    comparedBy: "rate",
  },
  {
    name: "compat",
    title:
      "clients of other libraries over Koala and over HTTP/2, 64 B there and back, 1 in flight",
    method: "echo",
    bytes: 64,
    inFlight: 1,
    comparedBy: "latency",
  },
  {
    name: "compat-rate",
    title:
      "clients of other libraries over Koala and over HTTP/2, 32 B there and back, 128 in flight",
    method: "echo",
    bytes: 32,
    inFlight: 128,
    comparedBy: "rate",
  },
  {
    name: "ingress",
    title: "grpc-js through the ingress port and directly, 64 B there and back, 1 in flight",
    method: "echo",
    bytes: 64,
    inFlight: 1,
    comparedBy: "latency",
  },
  {
    name: "ingress-rate",
    title: "grpc-js through the ingress port and directly, 32 B there and back, 128 in flight",
    method: "echo",
    bytes: 32,
    inFlight: 128,
    comparedBy: "rate",
  },
  {
    name: "policy-null",
    title: "64 B there and back, 1 in flight, through null policies in both daemons",
    method: "echo",
    bytes: 64,
    inFlight: 1,
    comparedBy: "latency",
  },
  {
    name: "policy-null-rate",
    title: "32 B there and back, 128 in flight, through null policies in both daemons",
    method: "echo",
    bytes: 32,
    inFlight: 128,
    comparedBy: "rate",
  },
  {
    name: "policy-acl",
    title: "64 B there and back, 1 in flight, a rule on a string field of the request",
    method: "echo",
    bytes: 64,
    text: "somebody",
    inFlight: 1,
    comparedBy: "latency",
  },
  {
    name: "policy-telemetry",
    title: "64 B there and back, 1 in flight, counted and timed in both daemons",
    method: "echo",
    bytes: 64,
    inFlight: 1,
    comparedBy: "latency",
  },
  {
    name: "policy-rate-limit",
    title: "32 B there and back, 64 in flight, held to a rate by a queue",
    method: "echo",
    bytes: 32,
    inFlight: 64,
    comparedBy: "rate",
  },
  {
    name: "qos",
    title: "64 B there and back, 1 in flight, beside an app that sends 1 MB messages, 32 in flight",
    method: "echo",
    bytes: 64,
    inFlight: 1,
    comparedBy: "latency",
  },
];

/** The case without processes: the schema package against protobuf-es. */
export const layoutCaseName = "layout";

/** The case in which a daemon is changed while it serves. */
export const changeCaseName = "upgrade";

/** The case without calls: what connections cost. */
export const memoryCaseName = "memory";

/** The case without daemons and calls: what two threads or processes exchange through queues. */
export const queueCaseName = "queues";

/** Names of all cases, in the order in which they run. */
export const caseNames: readonly string[] = [
  ...loadCases.map(({ name }) => name),
  changeCaseName,
  memoryCaseName,
  layoutCaseName,
  queueCaseName,
];
