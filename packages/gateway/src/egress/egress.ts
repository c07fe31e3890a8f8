/** An egress: a server of gRPC outside of the mesh, whose services can be called by a name in it. */
import type { DescMethod, DescService } from "@bufbuild/protobuf";
import { messageOf, Status } from "@koala/interface";
import { type HandlerContext, type Log, type Mesh, RpcError, type Server } from "@koala/mrpc";
import { type RawHandlers, rawService } from "@koala/mrpc/raw";
import type { EgressSettings } from "../gateway-options.ts";
import { egressTls } from "./egress-tls.ts";
import { callUpstream, type UpstreamCallOptions } from "./upstream-call.ts";
import { servicesByReflection, servicesOfFile } from "./upstream-schema.ts";
import { UpstreamSession } from "./upstream-session.ts";

const retryMinMs = 200;
const retryMaxMs = 5000;

export interface EgressOptions {
  readonly mesh: Mesh;
  readonly settings: EgressSettings;
  readonly messageBytes: number;
  readonly log: Log;
}

export class Egress {
  readonly name: string;
  /** Full names of what is served; empty until the server has said what it offers. */
  services: readonly string[] = [];
  readonly calls: { started: number; succeeded: number; failed: number } = {
    ...{ started: 0, succeeded: 0, failed: 0 },
  };
  private readonly options: EgressOptions;
  private readonly session: UpstreamSession;
  private server: Server | null = null;
  private timer: NodeJS.Timeout | null = null;
  private retryMs = retryMinMs;
  private isClosed = false;

  constructor(options: EgressOptions) {
    this.options = options;
    this.name = options.settings.name;
    this.session = new UpstreamSession({
      ...options.settings,
      tls: egressTls(options.settings),
    });
  }

  /** Whether there is a connection to the server. */
  get isUp(): boolean {
    return this.session.isUp;
  }

  /** Where the server is. */
  get address(): string {
    return this.session.authority;
  }

  /**
   * Serves what the server offers. Rejects for a file of descriptors that is none; a server that is not there yet
   * is asked again until it is.
   */
  async start(): Promise<void> {
    const { descriptors, services } = this.options.settings;
    if (descriptors !== "") await this.serve(servicesOfFile(descriptors, services));
    else await this.ask();
  }

  async close(graceMs: number): Promise<void> {
    this.isClosed = true;
    if (this.timer !== null) clearTimeout(this.timer);
    await this.server?.close({ graceMs });
    this.session.close();
  }

  private async ask(): Promise<void> {
    const { settings, log } = this.options;
    try {
      await this.serve(await servicesByReflection(this.session, settings.services));
    } catch (error) {
      if (this.isClosed) return;
      log("warn", `egress ${this.name}: ${messageOf(error)}; asking again`);
      this.timer = setTimeout(() => void this.ask(), this.retryMs);
      this.retryMs = Math.min(2 * this.retryMs, retryMaxMs);
    }
  }

  private async serve(services: readonly DescService[]): Promise<void> {
    if (services.length === 0) {
      throw new RpcError(Status.FAILED_PRECONDITION, `${this.address} offers no service`);
    }
    const server = await this.options.mesh.serve({ name: this.name }, (router) => {
      for (const service of services) rawService(router, service, this.handlersOf(service));
    });
    this.server = server;
    if (this.isClosed) await server.close({ graceMs: 0 });
    this.services = services.map(({ typeName }) => typeName);
  }

  private handlersOf(service: DescService): RawHandlers {
    const handlers = service.methods.map((method) => [method.localName, this.handlerOf(method)]);
    // Each by the kind of its method, which the types of a descriptor that came at run time do not know.
    return Object.fromEntries(handlers) as RawHandlers;
  }

  private handlerOf(method: DescMethod): unknown {
    const path = `/${method.parent.typeName}/${method.name}`;
    const call = (
      requests: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
      context: HandlerContext,
    ): AsyncGenerator<Uint8Array> =>
      this.counted(callUpstream(this.session, path, requests, this.optionsOf(method, context)));
    switch (method.methodKind) {
      case "unary":
        return (request: Uint8Array, context: HandlerContext) =>
          only(method, call([request], context));
      case "server_streaming":
        return (request: Uint8Array, context: HandlerContext) => call([request], context);
      case "client_streaming":
        return (requests: AsyncIterable<Uint8Array>, context: HandlerContext) =>
          only(method, call(requests, context));
      case "bidi_streaming":
        return call;
    }
  }

  /** A call that nobody wants to the end has not failed. */
  private async *counted(messages: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
    const { calls } = this;
    calls.started++;
    let hasFailed = false;
    try {
      yield* messages;
    } catch (error) {
      hasFailed = true;
      throw error;
    } finally {
      if (hasFailed) calls.failed++;
      else calls.succeeded++;
    }
  }

  private optionsOf({ methodKind }: DescMethod, context: HandlerContext): UpstreamCallOptions {
    const isStream = methodKind === "server_streaming" || methodKind === "bidi_streaming";
    return {
      metadata: context.metadata,
      timeoutMs: context.timeoutMs,
      signal: context.signal,
      messageBytes: this.options.messageBytes,
      onHeader: (entries) => {
        context.responseHeaderMetadata = entries;
        if (isStream) context.sendHeader();
      },
      onTrailer: (entries) => {
        context.responseMetadata = entries;
      },
    };
  }
}

/** The one message of a response. */
async function only(
  { parent, name }: DescMethod,
  messages: AsyncIterable<Uint8Array>,
): Promise<Uint8Array> {
  let only: Uint8Array | undefined;
  for await (const message of messages) {
    if (only === undefined) only = message;
    else throw cardinality(`${parent.typeName}/${name}: the server has sent more than one message`);
  }
  if (only === undefined) throw cardinality(`${parent.typeName}/${name}: the server has sent none`);
  return only;
}

function cardinality(text: string): RpcError {
  return new RpcError(Status.UNIMPLEMENTED, text);
}
