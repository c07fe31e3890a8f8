/** An ingress without a daemon, whose one service answers in this process, and clients that do as they like. */
import { type ClientHttp2Session, connect, constants, type OutgoingHttpHeaders } from "node:http2";
import { connect as connectSocket, type Socket } from "node:net";
import { setTimeout as pause } from "node:timers/promises";
import { fromBinary } from "@bufbuild/protobuf";
import { Status } from "@koala/interface";
import { type Mesh, RpcError } from "@koala/mrpc";
import type { Ending } from "@koala/testing";
import type { Backend } from "./describe/backend.ts";
import { registryOf, ServiceCatalog } from "./describe/service-catalog.ts";
import { ingressDefaults } from "./gateway-options.ts";
import { NoteSchema, Probe } from "./gen/probe/v1/probe_pb.ts";
import { Ingress, type IngressLimits } from "./ingress/ingress.ts";

/** A catalog whose mesh offers nothing. */
export function emptyCatalog(): ServiceCatalog {
  const mesh = {
    watchServices: (listener: (services: readonly []) => void) => {
      listener([]);
      return () => {};
    },
    describe: () => Promise.reject(new RpcError(Status.NOT_FOUND, "nobody")),
  };
  return new ServiceCatalog({ mesh: mesh as unknown as Mesh, routes: {} });
}

/** Echoes; a note with the text `hold` is answered when its call is cancelled. */
const backend: Backend = {
  service: Probe,
  async unary(_method, request, { signal }) {
    const { text } = parse(request);
    if (text === "hold") {
      await new Promise((resolve) => signal.addEventListener("abort", resolve));
      throw new RpcError(Status.CANCELLED, "gone");
    }
    return request;
  },
  async *stream(method, requests) {
    if (method.name !== "List") {
      for await (const request of requests) {
        parse(request);
        yield request;
      }
      return;
    }
    for await (const _ of requests) yield new Uint8Array(0);
  },
};

function parse(bytes: Uint8Array): { text: string } {
  try {
    return fromBinary(NoteSchema, bytes);
  } catch (cause) {
    throw new RpcError(Status.INVALID_ARGUMENT, "no note", { cause });
  }
}

export interface Edge {
  readonly ingress: Ingress;
  readonly port: number;
}

const limits: IngressLimits = { ...ingressDefaults, messageBytes: 64 * 1024 };

export async function startEdge(test: Ending, changed: Partial<IngressLimits> = {}): Promise<Edge> {
  const catalog = emptyCatalog();
  catalog.add({ desc: Probe, registry: registryOf(Probe.file), backend });
  const ingress = new Ingress({
    ...{ name: "test", host: "127.0.0.1", port: 0, origins: ["https://page.example"], catalog },
    limits: { ...limits, ...changed },
  });
  await ingress.start();
  test.after(() => ingress.close(0));
  return { ingress, port: Number(ingress.address.split(":")[1]) };
}

/** What came of a request. */
export interface Response {
  readonly headers: Record<string, unknown>;
  readonly trailers: Record<string, unknown>;
  readonly body: Buffer;
  /** The code of HTTP/2 that the stream was reset with; 0: none. */
  readonly reset: number;
}

/** A session that ends with its test. */
export function openSession(test: Ending, port: number): ClientHttp2Session {
  const session = connect(`http://127.0.0.1:${port}`);
  session.on("error", () => {});
  test.after(() => session.destroy());
  return session;
}

/** Sends a request as it is; the body is left open when it is undefined. */
export function request(
  session: ClientHttp2Session,
  path: string,
  body: Uint8Array | undefined,
  headers: OutgoingHttpHeaders = {},
): Promise<Response> {
  return new Promise((resolve) => {
    const stream = session.request({
      ":method": "POST",
      ":path": path,
      "content-type": "application/grpc",
      te: "trailers",
      ...headers,
    });
    const chunks: Buffer[] = [];
    let head: Record<string, unknown> = {};
    let trailers: Record<string, unknown> = {};
    stream.on("response", (received) => {
      head = received;
    });
    stream.on("trailers", (received) => {
      trailers = received;
    });
    stream.on("data", (chunk: Buffer) => void chunks.push(chunk));
    stream.on("error", () => {});
    stream.on("close", () => {
      const reset = stream.rstCode === constants.NGHTTP2_NO_ERROR ? 0 : stream.rstCode;
      resolve({ headers: head, trailers, body: Buffer.concat(chunks), reset });
    });
    if (body !== undefined) stream.end(body);
  });
}

/** The status of a response of gRPC, wherever it stands, with its text. */
export function outcomeOf({ headers, trailers }: Response): [status: number, message: string] {
  const all = { ...headers, ...trailers };
  return [Number(all["grpc-status"]), String(all["grpc-message"] ?? "")];
}

/** A socket and all that it has been told, until it is closed. */
export class RawClient {
  readonly socket: Socket;
  received: Buffer = Buffer.alloc(0);
  isClosed = false;

  constructor(test: Ending, port: number) {
    this.socket = connectSocket(port, "127.0.0.1");
    this.socket.on("error", () => {});
    this.socket.on("data", (chunk: Buffer) => {
      this.received = Buffer.concat([this.received, chunk]);
    });
    this.socket.on("close", () => {
      this.isClosed = true;
    });
    test.after(() => void this.socket.destroy());
  }

  async send(...parts: (string | Uint8Array)[]): Promise<void> {
    for (const part of parts) this.socket.write(part);
    await pause(0);
  }

  /** The frames that came, by type and payload. */
  frames(): { type: number; flags: number; stream: number; payload: Buffer }[] {
    const frames = [];
    for (let at = 0; at + 9 <= this.received.length; ) {
      const length = this.received.readUIntBE(at, 3);
      const type = this.received[at + 3]!;
      const flags = this.received[at + 4]!;
      const stream = this.received.readUInt32BE(at + 5);
      frames.push({
        type,
        flags,
        stream,
        payload: this.received.subarray(at + 9, at + 9 + length),
      });
      at += 9 + length;
    }
    return frames;
  }
}

export const preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/** A frame of HTTP/2. */
export function frame(type: number, flags: number, stream: number, payload: Uint8Array): Buffer {
  const bytes = Buffer.alloc(9 + payload.length);
  bytes.writeUIntBE(payload.length, 0, 3);
  bytes[3] = type;
  bytes[4] = flags;
  bytes.writeUInt32BE(stream, 5);
  bytes.set(payload, 9);
  return bytes;
}

/** A block of headers, each a literal that is not indexed. */
export function headerBlock(headers: Readonly<Record<string, string>>): Buffer {
  const parts: Buffer[] = [];
  const text = (value: string): Buffer => {
    const bytes = Buffer.from(value);
    if (bytes.length < 127) return Buffer.concat([Buffer.from([bytes.length]), bytes]);
    let rest = bytes.length - 127;
    const length = [127];
    for (; rest >= 128; rest = Math.floor(rest / 128)) length.push((rest % 128) + 128);
    length.push(rest);
    return Buffer.concat([Buffer.from(length), bytes]);
  };
  for (const [name, value] of Object.entries(headers)) {
    parts.push(Buffer.from([0]), text(name), text(value));
  }
  return Buffer.concat(parts);
}

/** Headers of a call. */
export const callHeaders: Readonly<Record<string, string>> = {
  ":method": "POST",
  ":scheme": "http",
  ":path": "/probe.v1.Probe/Echo",
  ":authority": "edge",
  "content-type": "application/grpc",
  te: "trailers",
};
