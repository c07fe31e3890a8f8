/** The gateway as a whole: an app of the mesh that speaks for others. */
import { connect, type Log, type Mesh } from "@koala/mrpc";
import { ServiceCatalog } from "./describe/service-catalog.ts";
import { Egress } from "./egress/egress.ts";
import type { GatewaySettings, IngressSettings } from "./gateway-options.ts";
import { Ingress } from "./ingress/ingress.ts";
import { channelzService } from "./services/channelz.ts";
import { healthService } from "./services/health.ts";
import { reflectionServices } from "./services/reflection.ts";

/** How the gateway calls itself in the mesh. */
export const gatewayName = "koala-gateway";

export interface Gateway {
  readonly mesh: Mesh;
  readonly ingresses: readonly Ingress[];
  readonly egresses: readonly Egress[];
  /** No new calls; those that run have the time of the settings to end. */
  close(): Promise<void>;
}

/** Connects to the daemon and opens all doors. Rejects with a `KoalaError`, having left nothing open. */
export async function startGateway(settings: GatewaySettings, log?: Log): Promise<Gateway> {
  const { prefix, drainMs, messageBytes } = settings;
  const mesh = await connect({
    prefix,
    name: gatewayName,
    labels: { "koala.role": "gateway" },
    ...(log === undefined ? {} : { log }),
  });
  const ingresses: Ingress[] = [];
  const egresses: Egress[] = [];
  const catalogs: ServiceCatalog[] = [];
  const close = async (): Promise<void> => {
    await Promise.all(ingresses.map((ingress) => ingress.close(drainMs)));
    for (const catalog of catalogs) catalog.close();
    await Promise.all(egresses.map((egress) => egress.close(drainMs)));
    await mesh.close({ graceMs: drainMs });
  };
  try {
    for (const ingress of settings.ingresses) {
      const catalog = new ServiceCatalog({ mesh, routes: ingress.routes });
      catalogs.push(catalog);
      catalog.add(healthService(catalog));
      for (const service of reflectionServices(catalog)) catalog.add(service);
      if (ingress.channelz) catalog.add(channelzService({ ingresses, egresses }));
      const opened = new Ingress(ingressOptions(ingress, settings, catalog));
      ingresses.push(opened);
      await opened.start();
    }
    for (const egress of settings.egresses) {
      const opened = new Egress({ mesh, settings: egress, messageBytes, log: log ?? logToStderr });
      egresses.push(opened);
      await opened.start();
    }
    return { mesh, ingresses, egresses, close };
  } catch (error) {
    await close();
    throw error;
  }
}

function ingressOptions(
  { name, host, port, origins, routes: _, channelz: __, ...limits }: IngressSettings,
  { messageBytes }: GatewaySettings,
  catalog: ServiceCatalog,
): ConstructorParameters<typeof Ingress>[0] {
  return { name, host, port, origins, catalog, limits: { ...limits, messageBytes } };
}

function logToStderr(level: string, message: string): void {
  if (level !== "debug") process.stderr.write(`koala-gateway: ${message}\n`);
}
