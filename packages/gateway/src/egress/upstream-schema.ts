/** What a server of gRPC offers: by a file of descriptors, or by its own word (server reflection). */
import { readFileSync } from "node:fs";
import {
  create,
  createFileRegistry,
  type DescMessage,
  type DescService,
  type FileRegistry,
  fromBinary,
  type MessageInitShape,
  toBinary,
} from "@bufbuild/protobuf";
import {
  type FileDescriptorProto,
  FileDescriptorProtoSchema,
  FileDescriptorSetSchema,
} from "@bufbuild/protobuf/wkt";
import { KoalaError, messageOf, Status } from "@koala/interface";
import { RpcError } from "@koala/mrpc";
import {
  ServerReflectionRequestSchema,
  type ServerReflectionResponse,
  ServerReflectionResponseSchema,
} from "../gen/grpc/reflection/v1/reflection_pb.ts";
import { callUpstream } from "./upstream-call.ts";
import type { UpstreamSession } from "./upstream-session.ts";

/** The newest first; their messages are the same. */
const reflectionPaths = [
  "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
  "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo",
];
/** What is about the server itself, and not offered unless it is asked for by name. */
const ownServices = /^grpc\.(reflection\.|health\.|channelz\.)/;
const timeoutMs = 5000;
const messageBytes = 4 * 1024 * 1024;
const filesMax = 1024;

type Question = NonNullable<
  MessageInitShape<typeof ServerReflectionRequestSchema>["messageRequest"]
>;

/** The services of a file with a `FileDescriptorSet`: those that are named, or all. */
export function servicesOfFile(path: string, names: readonly string[]): DescService[] {
  let registry: FileRegistry;
  try {
    registry = createFileRegistry(fromBinary(FileDescriptorSetSchema, readFileSync(path)));
  } catch (cause) {
    const text = `${path}: expected a FileDescriptorSet, as "buf build -o" and "protoc --descriptor_set_out --include_imports" make it: ${messageOf(cause)}`;
    throw new KoalaError("ERR_GATEWAY_DESCRIPTORS", text, { cause });
  }
  const all = [...registry].filter((desc) => desc.kind === "service");
  return pick(names.length === 0 ? all.map(({ typeName }) => typeName) : names, registry);
}

/** The services of a server by its reflection: those that are named, or all that it lists. */
export async function servicesByReflection(
  session: UpstreamSession,
  names: readonly string[],
): Promise<DescService[]> {
  let problem: unknown;
  for (const path of reflectionPaths) {
    try {
      return await askAll(session, path, names);
    } catch (error) {
      if (!(error instanceof RpcError) || error.status !== Status.UNIMPLEMENTED) throw error;
      problem = error;
    }
  }
  const text = `the server at ${session.authority} has no server reflection; give a file with descriptors in the [[egress]]`;
  throw new KoalaError("ERR_GATEWAY_REFLECTION", text, { cause: problem });
}

async function askAll(
  session: UpstreamSession,
  path: string,
  names: readonly string[],
): Promise<DescService[]> {
  const ask = (question: Question): Promise<ServerReflectionResponse["messageResponse"]> =>
    askOnce(session, path, question);
  let wanted = names;
  if (wanted.length === 0) {
    const answer = await ask({ case: "listServices", value: "" });
    if (answer.case !== "listServicesResponse") throw unexpected(session, answer.case);
    wanted = answer.value.service.map(({ name }) => name).filter((name) => !ownServices.test(name));
  }
  const files = new Map<string, FileDescriptorProto>();
  const add = (answer: ServerReflectionResponse["messageResponse"], what: string): void => {
    if (answer.case === "errorResponse") {
      const { errorCode, errorMessage } = answer.value;
      throw new RpcError(Status.FAILED_PRECONDITION, `${what}: ${errorCode} ${errorMessage}`);
    }
    if (answer.case !== "fileDescriptorResponse") throw unexpected(session, answer.case);
    for (const bytes of answer.value.fileDescriptorProto) {
      const file = fromBinary(FileDescriptorProtoSchema, bytes);
      if (!files.has(file.name)) files.set(file.name, file);
    }
  };
  for (const name of wanted) add(await ask({ case: "fileContainingSymbol", value: name }), name);
  for (let missing = missingOf(files); missing !== undefined; missing = missingOf(files)) {
    add(await ask({ case: "fileByFilename", value: missing }), missing);
    if (!files.has(missing) || files.size > filesMax) throw unexpected(session, missing);
  }
  const set = create(FileDescriptorSetSchema, { file: inOrder(files) });
  return pick(wanted, createFileRegistry(set));
}

async function askOnce(
  session: UpstreamSession,
  path: string,
  messageRequest: Question,
): Promise<ServerReflectionResponse["messageResponse"]> {
  const request = create(ServerReflectionRequestSchema, { messageRequest });
  const options = {
    ...{ metadata: [], timeoutMs, messageBytes, signal: AbortSignal.timeout(timeoutMs) },
    onHeader: () => {},
    onTrailer: () => {},
  };
  const requests = [toBinary(ServerReflectionRequestSchema as DescMessage, request)];
  for await (const bytes of callUpstream(session, path, requests, options)) {
    return fromBinary(ServerReflectionResponseSchema, bytes).messageResponse;
  }
  throw unexpected(session, "nothing");
}

/** A file that others import and that has not come yet. */
function missingOf(files: ReadonlyMap<string, FileDescriptorProto>): string | undefined {
  for (const { dependency } of files.values()) {
    for (const name of dependency) if (!files.has(name)) return name;
  }
  return undefined;
}

/** Imports first. */
function inOrder(files: ReadonlyMap<string, FileDescriptorProto>): FileDescriptorProto[] {
  const ordered = new Set<FileDescriptorProto>();
  const seen = new Set<string>();
  const visit = (name: string): void => {
    const file = files.get(name);
    if (file === undefined || seen.has(name)) return;
    seen.add(name);
    file.dependency.forEach(visit);
    ordered.add(file);
  };
  for (const name of files.keys()) visit(name);
  return [...ordered];
}

function pick(names: readonly string[], registry: FileRegistry): DescService[] {
  return names.map((name) => {
    const desc = registry.getService(name);
    if (desc !== undefined) return desc;
    throw new KoalaError(
      "ERR_GATEWAY_DESCRIPTORS",
      `the descriptors do not contain the service ${name}; expected one of those in services of the [[egress]]`,
    );
  });
}

function unexpected(session: UpstreamSession, found: string | undefined): RpcError {
  const text = `the reflection of the server at ${session.authority} answers out of order: ${found ?? "nothing"}`;
  return new RpcError(Status.INTERNAL, text);
}
