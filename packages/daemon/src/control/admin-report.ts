/** From what the runtimes say to what the admin socket answers. */
import type {
  AdminAnswers,
  DaemonCounters,
  DaemonStatus,
  SchemaVersion,
  ServiceStatus,
} from "@koala/protocol";
import type { RuntimeStatus } from "../worker/status.ts";

/** What the daemon knows about itself; sums and answers are made of it here. */
export interface DaemonReport extends Omit<DaemonStatus, "counters" | "runtimes"> {
  runtimes: RuntimeStatus[];
}

/** Answer of `/v1/status`: with sums, without descriptors, which can be megabytes. */
export function statusAnswer(report: DaemonReport): DaemonStatus {
  const runtimes = report.runtimes.map((runtime) => ({
    ...runtime,
    services: runtime.services.map(({ descriptorSet: _, ...service }) => service),
  }));
  return { ...report, counters: countersOf(report.runtimes), runtimes };
}

function countersOf(runtimes: readonly RuntimeStatus[]): DaemonCounters {
  const apps = runtimes.flatMap((runtime) => runtime.apps);
  const links = runtimes.flatMap((runtime) => runtime.links);
  return {
    apps: apps.length,
    linksUp: links.filter((link) => link.state === "up").length,
    links: links.length,
    bindings: sum(runtimes, (runtime) => runtime.bindings.length),
    openCalls: sum(runtimes, (runtime) => runtime.openCalls),
    callsMade: sum(apps, (app) => app.callsMade),
    callsServed: sum(apps, (app) => app.callsServed),
    linkBytesIn: sum(links, (link) => link.bytesIn),
    linkBytesOut: sum(links, (link) => link.bytesOut),
    cpuSeconds: sum(runtimes, (runtime) => runtime.cpuSeconds),
  };
}

function sum<Item>(items: readonly Item[], numberOf: (item: Item) => number): number {
  return items.reduce((total, item) => total + numberOf(item), 0);
}

/**
 * Answer of `/v1/services`: one row for each name, service, version and place. Instances on this host
 * add up; a daemon that two links lead to offers the same over both, so there the larger number counts.
 */
export function servicesAnswer(report: DaemonReport): AdminAnswers["/v1/services"] {
  const rows = new Map<string, ServiceStatus>();
  const rowOf = (row: ServiceStatus): ServiceStatus => {
    const key = JSON.stringify([row.name, row.service, row.schema, row.where]);
    const known = rows.get(key);
    if (known !== undefined) return known;
    rows.set(key, row);
    return row;
  };
  for (const { services } of report.runtimes) {
    for (const { descriptorSet: _, ...service } of services) {
      const row = rowOf({ ...service, instances: 0 });
      row.instances += service.instances;
    }
  }
  for (const link of report.runtimes.flatMap((runtime) => runtime.links)) {
    if (link.state !== "up") continue;
    const where = link.peer === "" ? link.address : link.peer;
    for (const { name, service, hashes, instances } of link.services) {
      for (const schema of hashes) {
        const row = rowOf({ name, service, schema, where, instances: 0, methods: [] });
        row.instances = Math.max(row.instances, instances);
      }
    }
  }
  const services = [...rows.values()].sort((a, b) => compare(orderOf(a), orderOf(b)));
  return { services };
}

/** By name, then service; what is on this host first. */
function orderOf({ name, service, where, schema }: ServiceStatus): string {
  return [name, service, where === "local" ? "0" : `1${where}`, schema].join("\0");
}

function compare(a: string, b: string): number {
  return a < b ? -1 : Number(a > b);
}

/** Answer of `/v1/schema`: the versions of a service that apps of this host serve. */
export function schemaVersions(report: DaemonReport, service: string): SchemaVersion[] {
  const versions = new Map<string, SchemaVersion>();
  for (const offered of report.runtimes.flatMap((runtime) => runtime.services)) {
    const { name, schema, methods, descriptorSet } = offered;
    if (offered.service !== service || descriptorSet === "") continue;
    const version = versions.get(schema);
    if (version === undefined) {
      versions.set(schema, { schema, names: [name], methods, descriptorSet });
    } else if (!version.names.includes(name)) {
      version.names.push(name);
    }
  }
  return [...versions.values()];
}
