/** An ingress: a port at which clients of gRPC, gRPC-Web and Connect reach the services of the mesh. */

import type { DescMethod } from "@bufbuild/protobuf";
import { messageOf, Status } from "@koala/interface";
import { RpcError } from "@koala/mrpc";
import type { CatalogService, ServiceCatalog } from "../describe/service-catalog.ts";
import type { Exchange } from "../http/exchange.ts";
import { FrontDoor, type FrontDoorLimits } from "../http/front-door.ts";
import { metadataOf } from "../http/headers.ts";
import { Http2Exchange } from "../http/http2-exchange.ts";
import { callPath } from "./call-path.ts";
import { acceptsGzip, encodingFrom } from "./compression.ts";
import { type ContentType, contentTypeOf } from "./content-type.ts";
import { EnvelopeReader } from "./envelope-reader.ts";
import { GrpcResponder } from "./grpc-responder.ts";
import { failed } from "./outcome.ts";
import { jsonPayload, protobufPayload } from "./payload-codec.ts";
import type { Responder } from "./responder.ts";
import { type CallToRun, runCall } from "./run-call.ts";
import { grpcTimeoutMs } from "./timeout.ts";

export interface IngressLimits extends FrontDoorLimits {
  /** Bytes of one message. */
  readonly messageBytes: number;
  /** How long the message of a method that takes only one may stand still. */
  readonly bodyMs: number;
}

export interface IngressOptions {
  /** For people and for status. */
  readonly name: string;
  readonly host: string;
  readonly port: number;
  readonly limits: IngressLimits;
  readonly catalog: ServiceCatalog;
}

/** Calls by their outcome. */
export interface IngressCounts {
  started: number;
  succeeded: number;
  failed: number;
}

const acceptPost =
  "application/grpc, application/grpc-web, application/grpc-web-text, application/connect+proto, application/connect+json, application/proto, application/json";

export class Ingress {
  readonly name: string;
  readonly door: FrontDoor;
  readonly calls: IngressCounts = { started: 0, succeeded: 0, failed: 0 };
  /** `host:port`, with the real port. */
  address = "";
  private readonly options: IngressOptions;

  constructor(options: IngressOptions) {
    this.options = options;
    this.name = options.name;
    const { host, port, limits } = options;
    this.door = new FrontDoor({
      host,
      port,
      limits,
      onExchange: (exchange) => void this.serve(exchange),
    });
  }

  /** Listens; rejects with ERR_GATEWAY_LISTEN. */
  async start(): Promise<void> {
    const { address, port, family } = await this.door.listen();
    this.address = family === "IPv6" ? `[${address}]:${port}` : `${address}:${port}`;
  }

  async close(graceMs: number): Promise<void> {
    await this.door.close(graceMs);
  }

  private async serve(exchange: Exchange): Promise<void> {
    try {
      await this.dispatch(exchange);
    } catch (error) {
      // A bug of the gateway must not end it, nor leave the caller waiting.
      if (exchange.hasResponded) exchange.abort();
      else refuse(exchange, 500, `the gateway failed: ${messageOf(error)}`);
    }
  }

  private async dispatch(exchange: Exchange): Promise<void> {
    const question = exchange.path.indexOf("?");
    const path = callPath(question < 0 ? exchange.path : exchange.path.slice(0, question));
    if (path === undefined) {
      const text = "expected the path of a call, /package.Service/Method";
      return refuse(exchange, 404, text);
    }
    if (exchange.method !== "POST") {
      return refuse(exchange, 405, "expected POST", { allow: "POST" });
    }
    const type = contentTypeOf(exchange.headers["content-type"]);
    if (type === undefined) {
      const text = `expected one of these content types: ${acceptPost}`;
      return refuse(exchange, 415, text, { "accept-post": acceptPost });
    }
    switch (type.protocol) {
      case "grpc":
        if (exchange instanceof Http2Exchange) return await this.grpc(exchange, type, path);
        return refuse(exchange, 505, "gRPC needs HTTP/2", { connection: "close" });
      default:
        return refuse(exchange, 415, "not yet");
    }
  }

  private async grpc(
    exchange: Http2Exchange,
    type: ContentType,
    path: { service: string; method: string },
  ): Promise<void> {
    const { headers } = exchange;
    const isCompressed = headers["grpc-encoding"] === "gzip";
    const encoding =
      isCompressed && acceptsGzip(headers["grpc-accept-encoding"]) ? "gzip" : "identity";
    const responder = new GrpcResponder(exchange, type.echoed, encoding);
    await this.run(exchange, responder, path, (service, method) => ({
      codec: type.codec === "json" ? jsonPayload(method, service.registry) : protobufPayload,
      timeoutMs: grpcTimeoutMs(one(headers["grpc-timeout"])),
      requests: new EnvelopeReader({
        body: exchange.body,
        encoding: encodingFrom(one(headers["grpc-encoding"])),
        bytesMax: this.options.limits.messageBytes,
        malformed: Status.INTERNAL,
        isText: false,
        stallMs: takesOne(method) ? this.options.limits.bodyMs : 0,
      }),
    }));
  }

  /** Finds out who is called, and runs the call; what is wrong before ends the response as well. */
  private async run(
    exchange: Exchange,
    responder: Responder,
    path: { service: string; method: string },
    prepare: (
      service: CatalogService,
      method: DescMethod,
    ) => Pick<CallToRun, "codec" | "timeoutMs" | "requests">,
  ): Promise<void> {
    this.calls.started++;
    let call: CallToRun;
    try {
      const { catalog } = this.options;
      const service = await catalog.find(path.service, one(exchange.headers["koala-target"]));
      const { backend } = service;
      const method = backend.service.methods.find(({ name }) => name === path.method);
      if (method === undefined) {
        const text = `${path.service} has no method ${path.method}`;
        throw new RpcError(Status.UNIMPLEMENTED, text, { origin: "local-daemon" });
      }
      call = {
        ...{ backend, method, responder, signal: exchange.signal },
        metadata: metadataOf(exchange.headers),
        ...prepare(service, method),
      };
    } catch (error) {
      this.calls.failed++;
      responder.end(failed(error, []));
      return;
    }
    if ((await runCall(call)) === Status.OK) this.calls.succeeded++;
    else this.calls.failed++;
  }
}

function takesOne(method: DescMethod): boolean {
  return method.methodKind === "unary" || method.methodKind === "server_streaming";
}

/** A header that can be there once only. */
function one(value: string | string[] | undefined): string | undefined {
  return Array.isArray(value) ? value[0] : value;
}

/** A response for those who speak none of the protocols. */
function refuse(
  exchange: Exchange,
  status: number,
  text: string,
  headers: Record<string, string> = {},
): void {
  exchange.respond(status, { ...headers, "content-type": "text/plain; charset=utf-8" });
  exchange.write(Buffer.from(`${text}\n`));
  exchange.end();
}
