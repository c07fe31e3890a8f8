/** A router that remembers implementations, so that they can be called without the bytes of a protocol. */
import type { DescMethod, DescService } from "@bufbuild/protobuf";
import {
  type ConnectRouter,
  type ConnectRouterOptions,
  createConnectRouter,
  createMethodImplSpec,
  createServiceImplSpec,
  type MethodImpl,
  type MethodImplSpec,
  type ServiceImpl,
} from "@connectrpc/connect";
import { createMethodUrl } from "@connectrpc/connect/protocol";
import type { ServiceImpl as KoalaServiceImpl, ServiceRouter } from "@koala/mrpc";
import { type HandlerOptions, handlerOf, type KoalaHandler } from "./router-handler.ts";

/** Options of calls, of a whole router; services and methods may have others. */
export type RouterOptions = Omit<HandlerOptions, "url">;

type Given = Partial<ConnectRouterOptions> | undefined;

export class RouterCollector implements ConnectRouter {
  private readonly baseUrl: string;
  private readonly options: RouterOptions;
  private readonly real: ConnectRouter;
  private readonly services = new Map<
    string,
    { desc: DescService; handlers: Record<string, KoalaHandler> }
  >();

  constructor(name: string, options: RouterOptions) {
    this.baseUrl = `koala://${encodeURIComponent(name)}`;
    this.options = options;
    this.real = createConnectRouter();
  }

  /** For routes that look at them; nothing here does. */
  get handlers(): ConnectRouter["handlers"] {
    return this.real.handlers;
  }

  service<Service extends DescService>(
    service: Service,
    implementation: Partial<ServiceImpl<Service>>,
    options?: Given,
  ): this {
    this.real.service(service, implementation, options);
    for (const spec of Object.values(createServiceImplSpec(service, implementation).methods)) {
      this.add(spec, options);
    }
    return this;
  }

  rpc<Method extends DescMethod>(
    method: Method,
    implementation: MethodImpl<Method>,
    options?: Given,
  ): this {
    this.real.rpc(method, implementation, options);
    this.add(createMethodImplSpec(method, implementation), options);
    return this;
  }

  /** Adds all that was collected to a server. */
  addTo(server: ServiceRouter): void {
    for (const { desc, handlers } of this.services.values()) {
      server.service(desc, handlers as unknown as KoalaServiceImpl<DescService>);
    }
  }

  /** Of several implementations of a method, the last one counts, as on every server of connect-es. */
  private add(spec: MethodImplSpec, given: Given): void {
    const { method } = spec;
    const desc = method.parent;
    let service = this.services.get(desc.typeName);
    if (service === undefined) {
      service = { desc, handlers: {} };
      this.services.set(desc.typeName, service);
    }
    const { interceptors, maxTimeoutMs, shutdownSignal, contextValues } = this.options;
    service.handlers[method.localName] = handlerOf(spec, {
      url: createMethodUrl(this.baseUrl, method),
      interceptors: given?.interceptors ?? interceptors,
      maxTimeoutMs: given?.maxTimeoutMs ?? maxTimeoutMs,
      shutdownSignal: given?.shutdownSignal ?? shutdownSignal,
      contextValues,
    });
  }
}
