/** An ingress: a port at which clients of gRPC, gRPC-Web and Connect reach the services of the mesh. */
import type { TlsOptions } from "node:tls";
import { messageOf, Status } from "@koala/interface";
import { RpcError } from "@koala/mrpc";
import type { ServiceCatalog } from "../describe/service-catalog.ts";
import type { Exchange } from "../http/exchange.ts";
import { FrontDoor, type FrontDoorLimits } from "../http/front-door.ts";
import { metadataOf } from "../http/headers.ts";
import { Http2Exchange } from "../http/http2-exchange.ts";
import { type CallPath, callPath } from "./call-path.ts";
import {
  type CallPlan,
  connectGetPlan,
  connectStreamPlan,
  connectUnaryPlan,
  grpcPlan,
  grpcWebPlan,
  headerOf,
  type PlanOptions,
} from "./call-plans.ts";
import { type ContentType, contentTypeOf } from "./content-type.ts";
import { answerPreflight, corsHeaders } from "./cors.ts";
import { HttpRefusal, refuse } from "./http-refusal.ts";
import { failed } from "./outcome.ts";
import { type CallToRun, runCall } from "./run-call.ts";

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
  /** Undefined: without TLS. */
  readonly tls?: TlsOptions | undefined;
  readonly limits: IngressLimits;
  readonly catalog: ServiceCatalog;
  /** Origins whose pages may call from a browser; `*` stands for all. */
  readonly origins: readonly string[];
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
    const { host, port, limits, tls } = options;
    this.door = new FrontDoor({
      host,
      port,
      limits,
      tls,
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
      if (error instanceof HttpRefusal) refuse(exchange, error);
      // A bug of the gateway must not end it, nor leave the caller waiting.
      else if (exchange.hasResponded) exchange.abort();
      else {
        refuse(exchange, new HttpRefusal(500, `the gateway failed: ${messageOf(error)}`, {}));
      }
    }
  }

  private async dispatch(exchange: Exchange): Promise<void> {
    const { origins, limits } = this.options;
    if (exchange.method === "OPTIONS" && origins.length > 0) {
      answerPreflight(exchange, origins);
      return;
    }
    const question = exchange.path.indexOf("?");
    const path = callPath(question < 0 ? exchange.path : exchange.path.slice(0, question));
    if (path === undefined) {
      throw new HttpRefusal(404, "expected the path of a call, /package.Service/Method", {});
    }
    const common = origins.length === 0 ? {} : corsHeaders(exchange, origins);
    const plan = this.planFor(exchange, question, { ...limits, common });
    await this.run(exchange, plan, path);
  }

  private planFor(exchange: Exchange, question: number, options: PlanOptions): CallPlan {
    const { method, path } = exchange;
    if (method === "GET" && question >= 0) {
      return connectGetPlan(exchange, new URLSearchParams(path.slice(question)), options);
    }
    if (method !== "POST") throw new HttpRefusal(405, "expected POST", { allow: "POST" });
    const type = contentTypeOf(exchange.headers["content-type"]);
    if (type === undefined) {
      const text = `expected one of these content types: ${acceptPost}`;
      throw new HttpRefusal(415, text, { "accept-post": acceptPost });
    }
    return planByType(exchange, type, options);
  }

  /** Finds out who is called, and runs the call; what is wrong before ends the response as well. */
  private async run(exchange: Exchange, plan: CallPlan, path: CallPath): Promise<void> {
    const { responder } = plan;
    let call: CallToRun;
    try {
      const { catalog } = this.options;
      const service = await catalog.find(path.service, headerOf(exchange, "koala-target"));
      const { backend } = service;
      const method = backend.service.methods.find(({ name }) => name === path.method);
      if (method === undefined) {
        const text = `${path.service} has no method ${path.method}`;
        throw new RpcError(Status.UNIMPLEMENTED, text, { origin: "local-daemon" });
      }
      const planned = plan.prepare(service, method);
      call = {
        ...{ backend, method, responder, signal: exchange.signal },
        metadata: [...metadataOf(exchange.headers), ...exchange.caller],
        ...(planned instanceof Promise ? await planned : planned),
      };
    } catch (error) {
      if (error instanceof HttpRefusal) throw error;
      this.calls.started++;
      this.calls.failed++;
      responder.end(failed(error, []));
      return;
    }
    this.calls.started++;
    if ((await runCall(call)) === Status.OK) this.calls.succeeded++;
    else this.calls.failed++;
  }
}

function planByType(exchange: Exchange, type: ContentType, options: PlanOptions): CallPlan {
  switch (type.protocol) {
    case "grpc":
      if (exchange instanceof Http2Exchange) return grpcPlan(exchange, type, options);
      throw new HttpRefusal(505, "gRPC needs HTTP/2", {});
    case "connect-unary":
      return connectUnaryPlan(exchange, type, options);
    case "connect-stream":
      return connectStreamPlan(exchange, type, options);
    default:
      return grpcWebPlan(exchange, type, options);
  }
}
