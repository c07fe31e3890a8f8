/** What the functions get that say which services a server has. */
import type { DescService } from "@bufbuild/protobuf";
import type { MessageStyle } from "../calls/message-style.ts";
import type { Interceptor } from "../interceptors/interceptor.ts";
import type { HandlerGate } from "./handler-gate.ts";
import { ServiceExport, type ServiceImpl, type ServiceOptions } from "./service-export.ts";

/** Collects the services of a server. */
export interface ServiceRouter {
  service<Service extends DescService>(
    service: Service,
    implementation: ServiceImpl<Service>,
    options?: ServiceOptions,
  ): ServiceRouter;
}

/** Says which services a server has. */
export type ServiceRoutes = (router: ServiceRouter) => void;

export class ServiceCollector implements ServiceRouter {
  private readonly name: string;
  private readonly interceptors: readonly Interceptor[];
  private readonly gate: HandlerGate | null;
  private readonly exports: ServiceExport[];

  constructor(
    name: string,
    interceptors: readonly Interceptor[],
    gate: HandlerGate | null,
    exports: ServiceExport[],
  ) {
    this.name = name;
    this.interceptors = interceptors;
    this.gate = gate;
    this.exports = exports;
  }

  service<Service extends DescService>(
    service: Service,
    implementation: ServiceImpl<Service>,
    options: ServiceOptions = {},
  ): ServiceRouter {
    const { interceptors, gate } = this;
    const exportOptions = { ...options, interceptors, gate };
    this.exports.push(new ServiceExport(this.name, service, implementation, exportOptions));
    return this;
  }

  /** A service whose handlers take and give messages in another style. No interceptors: they expect objects. */
  styled(
    service: DescService,
    implementation: Readonly<Record<string, unknown>>,
    style: MessageStyle,
  ): void {
    const { gate } = this;
    this.exports.push(new ServiceExport(this.name, service, implementation, { style, gate }));
  }
}
