/** The gateway as a whole: an app of the mesh that speaks for others. */

import type { TlsOptions } from "node:tls";
import { connect, type Log, type Mesh } from "@koala/mrpc";
import { ServiceCatalog } from "./describe/service-catalog.ts";
import { Egress } from "./egress/egress.ts";
import { egressTls } from "./egress/egress-tls.ts";
import { type GatewaySettings, gatewayName, type IngressSettings } from "./gateway-options.ts";
import { ingressTls } from "./http/ingress-tls.ts";
import { Ingress } from "./ingress/ingress.ts";
import { channelzService } from "./services/channelz.ts";
import { healthService } from "./services/health.ts";
import { reflectionServices } from "./services/reflection.ts";

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
  // First what can be wrong without a daemon.
  for (const egress of settings.egresses) egressTls(egress);
  const secured = settings.ingresses.map((ingress) => ingressTls(ingress.name, ingress.tls));
  const connectAs = (name: string): Promise<Mesh> =>
    connect({
      ...{ prefix, name, labels: { "koala.role": "gateway" } },
      ...(log === undefined ? {} : { log }),
    });
  const mesh = await connectAs(gatewayName);
  /** By the name of the app: a connection for each, so that policies see it. */
  const meshes = new Map([[gatewayName, mesh]]);
  const ingresses: Ingress[] = [];
  const egresses: Egress[] = [];
  const catalogs: ServiceCatalog[] = [];
  const close = async (): Promise<void> => {
    await Promise.all(ingresses.map((ingress) => ingress.close(drainMs)));
    for (const catalog of catalogs) catalog.close();
    await Promise.all(egresses.map((egress) => egress.close(drainMs)));
    await Promise.all([...meshes.values()].map((each) => each.close({ graceMs: drainMs })));
  };
  try {
    for (const [index, ingress] of settings.ingresses.entries()) {
      const own = meshes.get(ingress.app) ?? (await connectAs(ingress.app));
      meshes.set(ingress.app, own);
      const catalog = new ServiceCatalog({ mesh: own, routes: ingress.routes });
      catalogs.push(catalog);
      catalog.add(healthService(catalog));
      for (const service of reflectionServices(catalog)) catalog.add(service);
      if (ingress.channelz) catalog.add(channelzService({ ingresses, egresses }));
      const opened = new Ingress(ingressOptions(ingress, settings, catalog, secured[index]));
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
  ingress: IngressSettings,
  { messageBytes }: GatewaySettings,
  catalog: ServiceCatalog,
  tls: TlsOptions | undefined,
): ConstructorParameters<typeof Ingress>[0] {
  const { name, host, port, origins } = ingress;
  return { name, host, port, origins, catalog, tls, limits: { ...ingress, messageBytes } };
}

function logToStderr(level: string, message: string): void {
  if (level !== "debug") process.stderr.write(`koala-gateway: ${message}\n`);
}
