/** The routes that show what there is: status, apps, services, links, bindings, schemas. */
import { messageOf } from "@koala/interface";
import type { AdminAnswers } from "@koala/protocol";
import { printable } from "./admin-body.ts";
import { AdminRefused, type AdminRegistry } from "./admin-registry.ts";
import { type DaemonReport, schemaVersions, servicesAnswer, statusAnswer } from "./admin-report.ts";

/** Where the answers come from. */
export interface AdminBackend {
  /** The daemon and all its runtimes, now. A rejection becomes `503 ERR_ADMIN_STATUS`. */
  status(): Promise<DaemonReport>;
}

type StatusPath = "/v1/status" | "/v1/apps" | "/v1/services" | "/v1/links" | "/v1/bindings";

const answers: {
  readonly [Path in StatusPath]: (report: DaemonReport) => AdminAnswers[Path];
} = {
  "/v1/status": statusAnswer,
  "/v1/apps": ({ runtimes }) => ({ apps: runtimes.flatMap((runtime) => runtime.apps) }),
  "/v1/services": servicesAnswer,
  "/v1/links": ({ runtimes }) => ({ links: runtimes.flatMap((runtime) => runtime.links) }),
  "/v1/bindings": ({ runtimes }) => ({
    bindings: runtimes.flatMap((runtime) => runtime.bindings),
  }),
};

/** Adds the routes. Requests that come while the backend is being asked share its answer. */
export function addStatusRoutes(registry: AdminRegistry, backend: AdminBackend): void {
  const report = sharedReport(backend);
  for (const [path, answer] of Object.entries(answers)) {
    registry.add({ method: "GET", path, handle: async () => answer(await report()) });
  }
  registry.add({
    method: "GET",
    path: "/v1/schema",
    query: ["service"],
    handle: async ({ query }) => {
      const service = query.get("service") ?? "";
      if (service !== "") return schemaAnswer(await report(), service);
      const text = "say which service's schema: /v1/schema?service=geo.v1.Geo";
      throw new AdminRefused(400, "ERR_ADMIN_QUERY", text);
    },
  });
}

function sharedReport(backend: AdminBackend): () => Promise<DaemonReport> {
  let asked: Promise<DaemonReport> | undefined;
  return async () => {
    asked ??= backend.status().finally(() => {
      asked = undefined;
    });
    try {
      return await asked;
    } catch (error) {
      const text = `the daemon can't say how it is: ${messageOf(error)}; try again`;
      throw new AdminRefused(503, "ERR_ADMIN_STATUS", text);
    }
  };
}

function schemaAnswer(report: DaemonReport, service: string): AdminAnswers["/v1/schema"] {
  const versions = schemaVersions(report, service);
  if (versions.length > 0) return { service, versions };
  const elsewhere = servicesAnswer(report).services.filter((row) => row.service === service);
  const places = [...new Set(elsewhere.map((row) => row.where))].join(", ");
  const text =
    places === ""
      ? `nobody serves ${printable(service)}; /v1/services lists what there is`
      : `${printable(service)} is served by ${places} only: links carry no schemas, ask the daemon there`;
  throw new AdminRefused(404, "ERR_ADMIN_SERVICE", text);
}
