/** gRPC C++ as Debian has it: client and server of `bench/native/grpc-cpp`, compiled here. */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { hashOf, kept } from "./cache.ts";
import { output, programPath } from "./installed.ts";
import { type FoundPeer, type MissingPeer, type Peer, peer } from "./peer.ts";

const inBench = (path: string): string => fileURLToPath(new URL(`../../${path}`, import.meta.url));
const sourceFolder = inBench("native/grpc-cpp");
const protoFolder = inBench("proto");
const protoFile = "bench/v1/bench.proto";
const programs = ["client", "server"];

/** What has to be there, and the package of Debian that has it. */
const needs: readonly { readonly program: string; readonly package: string }[] = [
  { program: "g++", package: "g++" },
  { program: "protoc", package: "protobuf-compiler" },
  { program: "grpc_cpp_plugin", package: "protobuf-compiler-grpc" },
  { program: "pkg-config", package: "pkg-config" },
];

/** Compiling takes some twenty seconds when the machine has nothing else to do. */
const compileTimeoutMs = 240_000;
const questionTimeoutMs = 10_000;

const flags = [
  // The generated code has warnings of its own.
  ...["-std=c++17", "-O2", "-DNDEBUG", "-w", "-pthread"],
  // The headers call what further libraries have, on which these depend.
  "-Wl,--copy-dt-needed-entries",
];
const libraries = ["-lgrpc++", "-lgrpc", "-lprotobuf"];

async function search(): Promise<FoundPeer | MissingPeer> {
  const lacking = needs.filter(({ program }) => programPath(program) === undefined);
  const packages = lacking.map((need) => need.package);
  if (!existsSync("/usr/include/grpcpp/grpcpp.h")) packages.push("libgrpc++-dev");
  if (packages.length > 0) {
    return {
      missing: `gRPC C++ is not installed; on Debian: apt-get install ${packages.join(" ")}`,
    };
  }
  const version = (
    await output("pkg-config", ["--modversion", "grpc++"], questionTimeoutMs)
  ).trim();
  const compiler = await output("g++", ["--version"], questionTimeoutMs);
  const sources = readdirSync(sourceFolder)
    .sort()
    .map((file) => join(sourceFolder, file));
  const key = hashOf([
    ...[version, compiler, flags.join(" ")],
    ...[...sources, join(protoFolder, protoFile)].map((file) => readFileSync(file)),
  ]);
  const folder = await kept(`grpc-cpp-${key}`, compile);
  return { version, vars: Object.fromEntries(programs.map((name) => [name, join(folder, name)])) };
}

async function compile(folder: string): Promise<void> {
  await output(
    "protoc",
    [
      ...["-I", protoFolder, `--cpp_out=${folder}`, `--grpc_out=${folder}`],
      `--plugin=protoc-gen-grpc=${programPath("grpc_cpp_plugin")}`,
      protoFile,
    ],
    questionTimeoutMs,
  );
  const messages = join(folder, protoFile.replace(".proto", ".pb.cc"));
  await Promise.all(
    programs.map((name) =>
      output(
        "g++",
        [
          ...[...flags, "-I", folder, "-I", sourceFolder, "-o", join(folder, name)],
          ...[join(sourceFolder, `${name}.cc`), messages, ...libraries],
        ],
        compileTimeoutMs,
      ),
    ),
  );
}

export const grpcCpp: Peer = peer("grpc-cpp", search);
