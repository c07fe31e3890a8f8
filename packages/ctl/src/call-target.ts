/** From `geo.v1.Geo/Nearest` to a name in the mesh, a descriptor and a method. */
import {
  createFileRegistry,
  type DescMethodUnary,
  type DescService,
  fromBinary,
  type Registry,
} from "@bufbuild/protobuf";
import { FileDescriptorSetSchema } from "@bufbuild/protobuf/wkt";
import { KoalaError, messageOf } from "@koala/interface";
import type { AdminAnswers, SchemaVersion } from "@koala/protocol";
import { askAdmin } from "./admin-client.ts";
import { usageError } from "./exit-code.ts";

/** What is to be called. */
export interface CallTarget {
  /** Mesh name. */
  readonly name: string;
  readonly service: DescService;
  readonly method: DescMethodUnary;
  /** Types of the service's files. */
  readonly registry: Registry;
}

const pauseMs = 100;

/** The two halves of `SERVICE/Method`; a leading slash, as gRPC writes it, is fine. */
export function parseMethod(text: string): [service: string, method: string] {
  const found = /^\/?([^/\s]+)\/([^/\s]+)$/.exec(text);
  if (found === null) {
    throw usageError(`"${text}": expected SERVICE/Method, geo.v1.Geo/Nearest for instance`);
  }
  return [found[1]!, found[2]!];
}

/**
 * Asks the daemon what it knows of the service. `waitMs` is how long to wait for somebody who serves it;
 * 0 fails at once.
 */
export async function findTarget(
  prefix: string,
  text: string,
  wantedName: string | undefined,
  waitMs: number,
): Promise<CallTarget> {
  const [serviceName, methodName] = parseMethod(text);
  const { versions } = await findSchema(prefix, serviceName, performance.now() + waitMs);
  const name = wantedName ?? (await onlyName(prefix, serviceName, text));
  // Any version will do for a name that only other hosts serve: the daemons translate between versions.
  const version = versions.find(({ names }) => names.includes(name)) ?? versions[0]!;
  const { service, registry } = describe(version, serviceName);
  return { name, service, method: methodOf(service, methodName), registry };
}

async function findSchema(
  prefix: string,
  service: string,
  deadline: number,
): Promise<AdminAnswers["/v1/schema"]> {
  for (;;) {
    try {
      return await askAdmin(prefix, "/v1/schema", { service });
    } catch (error) {
      const isUnknown = error instanceof KoalaError && error.code === "ERR_ADMIN_SERVICE";
      if (!isUnknown || performance.now() + pauseMs > deadline) throw error;
    }
    await new Promise((resolve) => setTimeout(resolve, pauseMs));
  }
}

async function onlyName(prefix: string, service: string, text: string): Promise<string> {
  const { services } = await askAdmin(prefix, "/v1/services");
  const rows = services.filter((row) => row.service === service);
  const [first, ...others] = new Set(rows.map((row) => row.name));
  if (first === undefined) {
    throw new KoalaError("ERR_ADMIN_SERVICE", `nobody serves ${service} any more; try again`);
  }
  if (others.length === 0) return first;
  const names = [first, ...others].join(", ");
  throw usageError(
    `${service} is served under several names (${names}): say which, koalactl call ${text} --target ${first}`,
  );
}

/** The service as protobuf-es has it, of descriptors that an app has given to the daemon. */
function describe(
  version: SchemaVersion,
  name: string,
): { service: DescService; registry: Registry } {
  let reason = "the service is not in it";
  try {
    const bytes = Buffer.from(version.descriptorSet, "base64");
    const registry = createFileRegistry(fromBinary(FileDescriptorSetSchema, bytes));
    const service = registry.getService(name);
    if (service !== undefined) return { service, registry };
  } catch (error) {
    reason = messageOf(error);
  }
  throw new KoalaError("ERR_CTL_SCHEMA", `the schema of ${name} can't be used: ${reason}`);
}

function methodOf(service: DescService, name: string): DescMethodUnary {
  const method = service.methods.find((known) => known.name === name || known.localName === name);
  if (method === undefined) {
    const names = service.methods.map((known) => known.name).join(", ");
    throw usageError(`${service.typeName} has no method ${name}; it has: ${names}`);
  }
  if (method.methodKind === "unary") return method as DescMethodUnary;
  throw usageError(
    `${service.typeName}/${method.name} is a stream; koalactl makes unary calls only`,
  );
}
