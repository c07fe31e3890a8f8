/** `grpc.health.v1.Health` for all services of the mesh: one that is offered is served. Apps need no code. */
import { once } from "node:events";
import { Status } from "@koala/interface";
import { RpcError } from "@koala/mrpc";
import { ownService } from "../describe/own-service.ts";
import type { OwnService, ServiceCatalog } from "../describe/service-catalog.ts";
import {
  Health,
  type HealthCheckRequest,
  HealthCheckResponse_ServingStatus as Serving,
} from "../gen/grpc/health/v1/health_pb.ts";

export function healthService(catalog: ServiceCatalog): OwnService {
  /** Services that were offered once, and are perhaps no more. */
  const known = new Set<string>();
  const note = (): void => {
    for (const name of catalog.names()) known.add(name);
  };
  catalog.onChange(note);
  note();

  const statusOf = (service: string): Serving | undefined => {
    if (service === "" || catalog.names().includes(service)) return Serving.SERVING;
    return known.has(service) ? Serving.NOT_SERVING : undefined;
  };

  return ownService(Health, {
    check({ service }: HealthCheckRequest) {
      const status = statusOf(service);
      if (status !== undefined) return { status };
      throw new RpcError(Status.NOT_FOUND, `nobody has offered the service ${service} so far`);
    },
    list() {
      const statuses = Object.fromEntries(
        ["", ...known].map((service) => [
          service,
          { status: statusOf(service) ?? Serving.UNKNOWN },
        ]),
      );
      return { statuses };
    },
    async *watch({ service }: HealthCheckRequest, signal) {
      let last: Serving | undefined;
      while (true) {
        const status = statusOf(service) ?? Serving.SERVICE_UNKNOWN;
        if (status !== last) {
          last = status;
          yield { status };
        } else await nextChange(catalog, signal);
      }
    },
  });
}

/** Resolves with the next change of what is offered; throws what the signal is aborted with. */
async function nextChange(catalog: ServiceCatalog, signal: AbortSignal): Promise<void> {
  signal.throwIfAborted();
  let stop = (): void => {};
  const changed = new Promise<void>((resolve) => {
    stop = catalog.onChange(resolve);
  });
  const over = new AbortController();
  try {
    await Promise.race([changed, once(signal, "abort", { signal: over.signal }).catch(() => {})]);
  } finally {
    stop();
    over.abort();
  }
  signal.throwIfAborted();
}
