/** Attached apps as plain data, and back: what a host keeps of an app when another runtime takes it over. */
import { KoalaError } from "@koala/interface";
import type { ServiceSchema } from "@koala/schema";
import { closeRegion, mapRegion, type Region } from "@koala/shm";
import { AppPort } from "../datapath/app-port.ts";
import type { AppState, SchemaRef } from "../datapath/app-state.ts";
import { createBinding } from "../datapath/binding.ts";
import type { SchemaStore } from "../datapath/schema-store.ts";
import type { HostedApp } from "./app-host.ts";
import type { AppIdentity } from "./commands.ts";

/** The state of an app whose engine is suspended, or whose runtime stands still. Changes nothing. */
export function saveApp(app: HostedApp): AppState {
  const { id, identity, port, engineOptions, controlFd, region, doorbell, appDoorbell } = app;
  return {
    id,
    identity,
    controlFd,
    doorbell,
    appDoorbell,
    region: { fd: region.fd, bytes: region.memory.buffer.byteLength },
    ringSlots: engineOptions.ringSlots,
    callsMax: engineOptions.callsMax,
    attachedMs: app.attachedMs,
    watchesServices: app.watchesServices,
    bindings: Array.from(port.bindings, (binding) =>
      binding === undefined ? null : { target: binding.target, ...refOf(binding.schema) },
    ),
    exports: Array.from(port.exports, (entry) =>
      entry === undefined ? null : { name: entry.name, ...refOf(entry.schema) },
    ),
    endpoint: port.engine.decompose(),
  };
}

/** Descriptor sets of all schemas that an app names, for a runtime that may not know them. */
export function schemasOf(app: HostedApp): ServiceSchema[] {
  const { bindings, exports } = app.port;
  return [...bindings, ...exports].flatMap((entry) => (entry === undefined ? [] : [entry.schema]));
}

/** What an app is called in logs and messages. */
export function labelOf({ name, pid, thread }: AppIdentity): string {
  return `${name}[${pid}${thread > 0 ? `/${thread}` : ""}]`;
}

export function portOf(id: number, identity: AppIdentity): AppPort {
  const { name, uid, pid, labels } = identity;
  return new AppPort(id, labelOf(identity), { app: name, host: "", uid, pid, labels });
}

/** What `loadApp` makes of a state. */
export interface LoadedApp {
  readonly port: AppPort;
  readonly region: Region;
}

/**
 * The app's port with its bindings and exports, and its region. Throws, and leaves nothing behind then, when
 * a schema is not known or memory can't be mapped.
 */
export function loadApp(state: AppState, schemas: SchemaStore): LoadedApp {
  const port = portOf(state.id, state.identity);
  const used: ServiceSchema[] = [];
  const acquire = ({ service, hash }: SchemaRef): ServiceSchema => {
    const schema = schemas.acquire(service, hash);
    if (schema === undefined) {
      throw new KoalaError(
        "ERR_ENGINE_STATE",
        `${port.label}: its state names the schema ${service} (${hash.slice(0, 12)}…), which did not come along; this is a bug of the daemon that handed it over`,
      );
    }
    used.push(schema);
    return schema;
  };
  try {
    state.bindings.forEach((saved, id) => {
      if (saved === null) port.bindings[id] = undefined;
      else {
        const { target } = saved;
        const schema = acquire(saved);
        port.bindings[id] = createBinding(id, port, port.identity, target, schema, "anywhere");
      }
    });
    state.exports.forEach((saved, id) => {
      port.exports[id] =
        saved === null ? undefined : { id, party: port, name: saved.name, schema: acquire(saved) };
    });
    const { fd, bytes } = state.region;
    return { port, region: { fd, memory: mapRegion(fd, bytes, true) } };
  } catch (error) {
    for (const schema of used) schemas.release(schema);
    throw error;
  }
}

/** Undoes `loadApp`, for what is still sent from once it has been; descriptors stay open. */
export function unloadApp({ port, region }: LoadedApp, schemas: SchemaStore): void {
  for (const entry of [...port.bindings, ...port.exports]) {
    if (entry !== undefined) schemas.release(entry.schema);
  }
  port.whenUnpinned(() => closeRegion(region.memory));
}

function refOf({ typeName, hash }: ServiceSchema): SchemaRef {
  return { service: typeName, hash };
}
