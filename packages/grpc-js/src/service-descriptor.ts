/**
 * The descriptor of a service that comes as a definition of grpc-js. Such a definition has functions for messages,
 * which say nothing of their fields; definitions of proto-loader carry descriptors besides.
 */
import type { DescMethod, DescService } from "@bufbuild/protobuf";
import type { MethodDefinition, ServiceDefinition } from "@grpc/grpc-js";
import { KoalaError, messageOf } from "@koala/interface";
import { howToDescribe } from "./descriptor-source.ts";
import { servicesInLoaded } from "./loaded-descriptors.ts";

type AnyMethod = MethodDefinition<unknown, unknown>;

/** What proto-loader adds to the definition of a method. */
interface LoadedMethod {
  readonly requestType?: { readonly fileDescriptorProtos?: readonly Uint8Array[] };
}

/** The service's full name, by the paths of its methods. */
export function serviceName(definition: ServiceDefinition): string {
  const [first] = Object.values(definition) as AnyMethod[];
  const [, name] = /^\/([^/]+)\/[^/]+$/.exec(first?.path ?? "") ?? [];
  if (name !== undefined) return name;
  throw new KoalaError(
    "ERR_GRPCJS_DEFINITION",
    `expected a service definition with methods, whose paths are as /geo.v1.Geo/Nearest; found ${JSON.stringify(first?.path)}`,
  );
}

/**
 * The descriptor of the service: one of `given`, else the one that the definition carries. Throws a `KoalaError`
 * when there is none, or when it has other methods than the definition.
 */
export function descriptorFor(
  definition: ServiceDefinition,
  given: readonly DescService[],
): DescService {
  const name = serviceName(definition);
  const desc =
    given.find(({ typeName }) => typeName === name) ?? loadedDescriptor(definition, name);
  for (const method of Object.values(definition) as AnyMethod[]) methodOf(desc, method);
  return desc;
}

/** The descriptor of a method. Throws a `KoalaError` when it is not there, or is of another kind. */
export function methodOf(desc: DescService, { path, ...kind }: AnyMethod): DescMethod {
  const name = path.slice(path.lastIndexOf("/") + 1);
  const method = desc.methods.find((each) => each.name === name);
  const isSame =
    method !== undefined &&
    path === `/${desc.typeName}/${name}` &&
    method.proto.clientStreaming === kind.requestStream &&
    method.proto.serverStreaming === kind.responseStream;
  if (isSame) return method;
  throw new KoalaError(
    "ERR_GRPCJS_DEFINITION",
    method === undefined
      ? `${path}: the descriptor of ${desc.typeName} has no such method; make definition and descriptors from the same files`
      : `${path}: the definition and the descriptor do not agree on what streams (descriptor: ${method.methodKind}); make both from the same files`,
  );
}

function loadedDescriptor(definition: ServiceDefinition, name: string): DescService {
  const [first] = Object.values(definition) as LoadedMethod[];
  const files = first?.requestType?.fileDescriptorProtos;
  if (files === undefined) {
    throw new KoalaError(
      "ERR_GRPCJS_DESCRIPTORS",
      `${name}: its definition carries no descriptors, as generated ones don't; ${howToDescribe}`,
    );
  }
  let desc: DescService | undefined;
  try {
    desc = servicesInLoaded(files).find(({ typeName }) => typeName === name);
  } catch (cause) {
    const text = `${name}: the descriptors of proto-loader can't be used: ${messageOf(cause)}`;
    throw new KoalaError("ERR_GRPCJS_DESCRIPTORS", `${text}; ${howToDescribe}`, { cause });
  }
  if (desc !== undefined) return desc;
  throw new KoalaError(
    "ERR_GRPCJS_DESCRIPTORS",
    `${name}: the descriptors of proto-loader do not contain it; ${howToDescribe}`,
  );
}
