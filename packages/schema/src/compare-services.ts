/** Two versions of a service, method by method. */
import { KoalaError } from "@koala/interface";
import type { MethodSchema, ServiceSchema } from "./service-schema.ts";
import { type Transcoder, transcoderFor } from "./transcoder.ts";

/** How a method of the client meets the server's. */
export interface MethodMatch {
  readonly clientIndex: number;
  /** -1 when the server has no such method: calls get UNIMPLEMENTED. */
  readonly serverIndex: number;
  /** From the client's layout to the server's; `null` when they are the same. */
  readonly request: Transcoder | null;
  /** From the server's layout to the client's. */
  readonly response: Transcoder | null;
}

export interface CompareResult {
  /** Same methods at the same indexes with the same layouts. */
  readonly identical: boolean;
  /** One for each method of the client, in its order. */
  readonly methods: MethodMatch[];
}

/**
 * Matches the methods of two versions of a service by name. Throws a KoalaError `ERR_SCHEMA_CONFLICT` when a
 * method that both have can't be called across the versions.
 */
export function compareServices(client: ServiceSchema, server: ServiceSchema): CompareResult {
  if (client.typeName !== server.typeName) {
    const text = `the client calls ${client.typeName}, the server offers ${server.typeName}`;
    throw new KoalaError("ERR_SCHEMA_CONFLICT", text);
  }
  const byName = new Map(server.methods.map((method) => [method.name, method]));
  const methods = client.methods.map((method) => {
    const other = byName.get(method.name);
    return match(client.typeName, method, other);
  });
  return { identical: client.hash === server.hash, methods };
}

function match(
  service: string,
  client: MethodSchema,
  server: MethodSchema | undefined,
): MethodMatch {
  if (server === undefined) {
    return { clientIndex: client.index, serverIndex: -1, request: null, response: null };
  }
  if (client.kind !== server.kind) {
    const kinds = `${client.kind} for the client and ${server.kind} for the server`;
    throw new KoalaError("ERR_SCHEMA_CONFLICT", `${service}/${client.name}: is ${kinds}`);
  }
  return {
    clientIndex: client.index,
    serverIndex: server.index,
    request: transcoderFor(client.input, server.input),
    response: transcoderFor(server.output, client.output),
  };
}
