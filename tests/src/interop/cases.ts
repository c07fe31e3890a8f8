/**
 * gRPC's interoperability cases, by their published description, for a client of grpc-js over whatever channel it
 * has. Each rejects when something is not as it should be.
 */
import assert from "node:assert/strict";
import * as grpc from "@grpc/grpc-js";
import type {
  EchoStatus,
  InputResponse,
  InteropClient,
  OutputRequest,
  PayloadResponse,
  SimpleRequest,
} from "./definition.ts";

const { status } = grpc;

/** A client of the service, and one of a service that no server has. */
export interface InteropClients {
  readonly test: InteropClient;
  readonly unimplemented: InteropClient;
}

export interface InteropCase {
  readonly name: string;
  run(clients: InteropClients): Promise<void>;
}

interface Outcome<T> {
  readonly status: grpc.StatusObject;
  readonly header: grpc.Metadata | null;
  readonly error: grpc.ServiceError | null;
  readonly value: T | undefined;
}

/** Makes a call with one response and waits for all of its outcome. */
function outcomeOf<T, Call extends grpc.ClientUnaryCall>(
  start: (reply: (error: grpc.ServiceError | null, value?: T) => void) => Call,
  use: (call: Call) => void = () => {},
): Promise<Outcome<T>> {
  return new Promise((resolve) => {
    let header: grpc.Metadata | null = null;
    let answer: Pick<Outcome<T>, "error" | "value"> | null = null;
    const call = start((error, value) => {
      assert.equal(answer, null, "one answer");
      answer = { error, value };
    });
    call.on("metadata", (metadata) => {
      header = metadata;
    });
    call.on("status", (end) => {
      // The callback comes in the same turn, before or after.
      setImmediate(() => resolve({ status: end, header, ...answer! }));
    });
    use(call);
  });
}

type Duplex = grpc.ClientDuplexStream<OutputRequest, PayloadResponse>;

interface StreamOutcome {
  readonly status: grpc.StatusObject;
  readonly header: grpc.Metadata | null;
  readonly sizes: number[];
}

/** Reads a stream to its end, which may be an error. */
function streamOutcomeOf(
  stream: grpc.ClientReadableStream<PayloadResponse>,
  onMessage: (count: number) => void = () => {},
): Promise<StreamOutcome> {
  return new Promise((resolve) => {
    const sizes: number[] = [];
    let header: grpc.Metadata | null = null;
    let end: grpc.StatusObject | null = null;
    let isRead = false;
    const look = (): void => {
      if (end !== null && isRead) resolve({ status: end, header, sizes });
    };
    const onRead = (): void => {
      isRead = true;
      look();
    };
    stream.on("metadata", (metadata) => {
      header = metadata;
    });
    stream.on("data", ({ payload }: PayloadResponse) => {
      assert.equal(end, null, "no message after the status");
      sizes.push(payload?.body.length ?? 0);
      onMessage(sizes.length);
    });
    stream.on("error", onRead);
    stream.on("end", onRead);
    stream.on("status", (received) => {
      assert.equal(end, null, "one status");
      end = received;
      look();
    });
  });
}

function unary(
  { test }: InteropClients,
  request: SimpleRequest,
  metadata: grpc.Metadata = new grpc.Metadata(),
): Promise<Outcome<PayloadResponse>> {
  return outcomeOf((reply) => test.unaryCall(request, metadata, reply));
}

const zeros = (size: number): { body: Buffer } => ({ body: Buffer.alloc(size) });

async function emptyUnary({ test }: InteropClients): Promise<void> {
  const { error, value } = await outcomeOf<object, grpc.ClientUnaryCall>((reply) =>
    test.emptyCall({}, reply),
  );
  assert.equal(error, null);
  assert.deepEqual(value, {});
}

async function largeUnary(clients: InteropClients): Promise<void> {
  const { error, value } = await unary(clients, { responseSize: 314159, payload: zeros(271828) });
  assert.equal(error, null);
  assert.equal(value?.payload?.body.length, 314159);
  assert.ok(Buffer.alloc(314159).equals(value.payload.body));
}

async function clientStreaming({ test }: InteropClients): Promise<void> {
  const { error, value } = await outcomeOf<
    InputResponse,
    ReturnType<InteropClient["streamingInputCall"]>
  >(
    (reply) => test.streamingInputCall(new grpc.Metadata(), reply),
    (call) => {
      for (const size of [27182, 8, 1828, 45904]) call.write({ payload: zeros(size) });
      call.end();
    },
  );
  assert.equal(error, null);
  assert.equal(value?.aggregatedPayloadSize, 74922);
}

async function serverStreaming({ test }: InteropClients): Promise<void> {
  const wanted = [31415, 9, 2653, 58979];
  const responseParameters = wanted.map((size) => ({ size }));
  const { status: end, sizes } = await streamOutcomeOf(
    test.streamingOutputCall({ responseParameters }),
  );
  assert.equal(end.code, status.OK);
  assert.deepEqual(sizes, wanted);
}

async function pingPong({ test }: InteropClients): Promise<void> {
  const wanted = [31415, 9, 2653, 58979];
  const given = [27182, 8, 1828, 45904];
  const stream = test.fullDuplexCall();
  const send = (index: number): void => {
    const size = wanted[index];
    if (size === undefined) stream.end();
    else stream.write({ responseParameters: [{ size }], payload: zeros(given[index]!) });
  };
  const outcome = streamOutcomeOf(stream, send);
  send(0);
  const { status: end, sizes } = await outcome;
  assert.equal(end.code, status.OK);
  assert.deepEqual(sizes, wanted);
}

async function emptyStream({ test }: InteropClients): Promise<void> {
  const stream = test.fullDuplexCall();
  stream.end();
  const { status: end, sizes } = await streamOutcomeOf(stream);
  assert.equal(end.code, status.OK);
  assert.deepEqual(sizes, []);
}

async function cancelAfterBegin({ test }: InteropClients): Promise<void> {
  const { error, status: end } = await outcomeOf(
    (reply: (error: grpc.ServiceError | null, value?: InputResponse) => void) =>
      test.streamingInputCall(new grpc.Metadata(), reply),
    (call) => setImmediate(() => call.cancel()),
  );
  assert.equal(error?.code, status.CANCELLED);
  assert.equal(end.code, status.CANCELLED);
}

async function cancelAfterFirstResponse({ test }: InteropClients): Promise<void> {
  const stream = test.fullDuplexCall();
  const outcome = streamOutcomeOf(stream, () => stream.cancel());
  stream.write({ responseParameters: [{ size: 31415 }], payload: zeros(27182) });
  const { status: end, sizes } = await outcome;
  assert.equal(end.code, status.CANCELLED);
  assert.deepEqual(sizes, [31415]);
}

async function timeoutOnSleepingServer({ test }: InteropClients): Promise<void> {
  const stream = test.fullDuplexCall(new grpc.Metadata(), { deadline: Date.now() + 1 });
  const outcome = streamOutcomeOf(stream);
  stream.write({ payload: zeros(27182) });
  assert.equal((await outcome).status.code, status.DEADLINE_EXCEEDED);
}

async function customMetadata(clients: InteropClients): Promise<void> {
  const initial = "test_initial_metadata_value";
  const trailing = Buffer.from([0xab, 0xab, 0xab]);
  const metadata = new grpc.Metadata();
  metadata.set("x-grpc-test-echo-initial", initial);
  metadata.set("x-grpc-test-echo-trailing-bin", trailing);
  const check = ({ status: end, header }: Pick<StreamOutcome, "status" | "header">): void => {
    assert.equal(end.code, status.OK);
    assert.deepEqual(header?.get("x-grpc-test-echo-initial"), [initial]);
    assert.deepEqual(end.metadata.get("x-grpc-test-echo-trailing-bin"), [trailing]);
  };
  check(await unary(clients, { responseSize: 314159, payload: zeros(271828) }, metadata));
  const stream = clients.test.fullDuplexCall(metadata);
  const outcome = streamOutcomeOf(stream);
  stream.end({ responseParameters: [{ size: 314159 }], payload: zeros(271828) });
  check(await outcome);
}

async function failsWith(clients: InteropClients, responseStatus: EchoStatus): Promise<void> {
  const { code, message } = responseStatus;
  const { error } = await unary(clients, { responseStatus });
  assert.equal(error?.code, code);
  assert.equal(error.details, message);
}

async function statusCodeAndMessage(clients: InteropClients): Promise<void> {
  const responseStatus = { code: status.UNKNOWN, message: "test status message" };
  await failsWith(clients, responseStatus);
  const stream: Duplex = clients.test.fullDuplexCall();
  const outcome = streamOutcomeOf(stream);
  stream.end({ responseStatus });
  const { status: end } = await outcome;
  assert.equal(end.code, responseStatus.code);
  assert.equal(end.details, responseStatus.message);
}

async function specialStatusMessage(clients: InteropClients): Promise<void> {
  const message = "\t\ntest with whitespace\r\nand Unicode BMP \u263a and non-BMP \u{1f608}\t\n";
  await failsWith(clients, { code: status.UNKNOWN, message });
}

async function unimplementedMethod({ test }: InteropClients): Promise<void> {
  const { error } = await outcomeOf((reply: (error: grpc.ServiceError | null) => void) =>
    test.unimplementedCall({}, reply),
  );
  assert.equal(error?.code, status.UNIMPLEMENTED);
}

async function unimplementedService({ unimplemented }: InteropClients): Promise<void> {
  const { error } = await outcomeOf((reply: (error: grpc.ServiceError | null) => void) =>
    unimplemented.unimplementedCall({}, reply),
  );
  assert.equal(error?.code, status.UNIMPLEMENTED);
}

/** By their published names. */
export const interopCases: readonly InteropCase[] = [
  { name: "empty_unary", run: emptyUnary },
  { name: "large_unary", run: largeUnary },
  { name: "client_streaming", run: clientStreaming },
  { name: "server_streaming", run: serverStreaming },
  { name: "ping_pong", run: pingPong },
  { name: "empty_stream", run: emptyStream },
  { name: "cancel_after_begin", run: cancelAfterBegin },
  { name: "cancel_after_first_response", run: cancelAfterFirstResponse },
  { name: "timeout_on_sleeping_server", run: timeoutOnSleepingServer },
  { name: "custom_metadata", run: customMetadata },
  { name: "status_code_and_message", run: statusCodeAndMessage },
  { name: "special_status_message", run: specialStatusMessage },
  { name: "unimplemented_method", run: unimplementedMethod },
  { name: "unimplemented_service", run: unimplementedService },
];
