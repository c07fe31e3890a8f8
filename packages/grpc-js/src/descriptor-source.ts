/** Descriptors of services, from where users have them. */
import { readFileSync } from "node:fs";
import { create, createFileRegistry, type DescService, fromBinary } from "@bufbuild/protobuf";
import { type FileDescriptorProto, FileDescriptorSetSchema } from "@bufbuild/protobuf/wkt";
import { KoalaError, messageOf } from "@koala/interface";

/**
 * An encoded `google.protobuf.FileDescriptorSet` with all imports, as bytes or as the path of its file; or services of
 * protobuf-es.
 */
export type DescriptorSource = string | URL | Uint8Array | readonly DescService[];

/** How to come by a file of descriptors. */
export const howToDescribe =
  'make a file with "buf build -o geo.binpb" or "protoc --include_imports --descriptor_set_out=geo.binpb geo.proto" and give its path as option descriptors';

/** All services of a source. Throws a `KoalaError` when it can't be read. */
export function servicesIn(source: DescriptorSource): readonly DescService[] {
  if (Array.isArray(source)) return source as readonly DescService[];
  const given = source as string | URL | Uint8Array;
  const what = given instanceof Uint8Array ? "bytes" : String(given);
  try {
    const bytes = given instanceof Uint8Array ? given : readFileSync(given);
    return servicesInSet(fromBinary(FileDescriptorSetSchema, bytes).file);
  } catch (cause) {
    throw new KoalaError(
      "ERR_GRPCJS_DESCRIPTORS",
      `descriptors (${what}): expected a FileDescriptorSet with all imports: ${messageOf(cause)}; ${howToDescribe}`,
      { cause },
    );
  }
}

/** The services in files, which may come in any order. Throws when some of what they import is not there. */
export function servicesInSet(files: readonly FileDescriptorProto[]): readonly DescService[] {
  const set = create(FileDescriptorSetSchema, { file: sorted(files) });
  return [...createFileRegistry(set)].filter((type) => type.kind === "service");
}

/** Imports first, as the registry wants them. */
function sorted(files: readonly FileDescriptorProto[]): FileDescriptorProto[] {
  const byName = new Map(files.map((file) => [file.name, file]));
  const result = new Set<FileDescriptorProto>();
  const visiting = new Set<FileDescriptorProto>();
  const visit = (file: FileDescriptorProto): void => {
    // A circle is left as it is: the registry says what it misses.
    if (result.has(file) || visiting.has(file)) return;
    visiting.add(file);
    for (const name of file.dependency) {
      const imported = byName.get(name);
      if (imported !== undefined) visit(imported);
    }
    result.add(file);
  };
  files.forEach(visit);
  return [...result];
}
