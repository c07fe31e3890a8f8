/** Others' programs, made with what Debian and npm have; and what has to be installed where that is missing. */
import { execFile, spawnSync } from "node:child_process";
import { accessSync, constants, existsSync } from "node:fs";
import { delimiter, join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

const run = promisify(execFile);

const inTests = (path: string): string => fileURLToPath(new URL(`../../${path}`, import.meta.url));
const protoFolder = inTests("proto");
/** Holds google/rpc/status.proto. */
const clientProtoFolder = inTests("../packages/client/proto");
const messageFiles = [
  "grpc/testing/empty.proto",
  "grpc/testing/messages.proto",
  "grpc/testing/test.proto",
  "test/v1/probe.proto",
  "google/rpc/status.proto",
];
const serviceFiles = ["grpc/testing/test.proto", "test/v1/probe.proto"];

/** Debian's own: another one before it on the path does not have Debian's packages. */
export const python = "/usr/bin/python3";

/** The `buf` that generates the project's code. */
export const buf: string = inTests("../tools/codegen/node_modules/.bin/buf");

/** Why a test with Python's grpcio can't run here; false if it can. */
export const noPythonGrpc: string | false =
  missing("protoc", "protobuf-compiler") ||
  missing("grpc_python_plugin", "protobuf-compiler-grpc") ||
  (!imports("grpc, google.protobuf") &&
    "Python's grpc is not installed; on Debian: apt-get install python3-grpcio python3-protobuf");

/** Why a test with Python's h2 can't run here; false if it can. */
export const noPythonH2: string | false =
  !imports("h2") && "Python's h2 is not installed; on Debian: apt-get install python3-h2";

/** Why a test with gRPC for C++ can't run here; false if it can. */
export const noCppGrpc: string | false =
  missing("g++", "g++") ||
  missing("protoc", "protobuf-compiler") ||
  missing("grpc_cpp_plugin", "protobuf-compiler-grpc") ||
  (!existsSync("/usr/include/grpcpp/grpcpp.h") &&
    "gRPC for C++ is not installed; on Debian: apt-get install libgrpc++-dev");

/** Why a test with buf can't run here; false if it can. */
export const noBuf: string | false =
  !existsSync(buf) && "buf is not installed; npm ci --prefix tools/codegen --ignore-scripts";

/** A source of one of the programs. */
export function peerSource(name: string): string {
  return inTests(`peers/${name}`);
}

/** The folder of the tests' .proto files. */
export const schemaFolder: string = protoFolder;

/** Makes Python's code for the tests' .proto files; resolves with the environment in which it is found. */
export async function generatePython(folder: string): Promise<Record<string, string>> {
  await protoc(folder, "python", messageFiles);
  await protoc(folder, "grpc_python", serviceFiles);
  return { PYTHONPATH: folder, PYTHONDONTWRITEBYTECODE: "1" };
}

/** Writes the descriptors of the tests' services, as an operator does for an egress. */
export async function writeDescriptors(folder: string): Promise<string> {
  const file = join(folder, "services.binpb");
  await run("protoc", ["-I", protoFolder, "--include_imports", `-o${file}`, ...serviceFiles]);
  return file;
}

/** Compiles the program of C++, which is client and server; resolves with its path. Takes some twenty seconds. */
export async function compileCpp(folder: string): Promise<string> {
  await protoc(folder, "cpp", messageFiles);
  await protoc(folder, "grpc_cpp", serviceFiles);
  const program = join(folder, "interop");
  const sources = messageFiles.map((file) => join(folder, file.replace(".proto", ".pb.cc")));
  await run("g++", [
    // The generated code has warnings of its own.
    ...["-std=c++17", "-O1", "-w", "-pthread", "-I", folder, "-o", program],
    ...[peerSource("interop.cc"), ...sources],
    // The headers call what further libraries have, on which these depend.
    "-Wl,--copy-dt-needed-entries",
    ...["grpc++_reflection", "grpc++", "grpc", "protobuf"].map((name) => `-l${name}`),
  ]);
  return program;
}

async function protoc(folder: string, language: string, files: readonly string[]): Promise<void> {
  const [plugin, out] = language.startsWith("grpc_")
    ? [`--plugin=protoc-gen-grpc=${pathOf(`${language}_plugin`)}`, "--grpc_out"]
    : [undefined, `--${language}_out`];
  await run("protoc", [
    ...["-I", protoFolder, "-I", clientProtoFolder, `${out}=${folder}`],
    ...(plugin === undefined ? [] : [plugin]),
    ...files,
  ]);
}

function missing(program: string, debianPackage: string): string | false {
  if (pathOf(program) !== undefined) return false;
  return `${program} is not installed; on Debian: apt-get install ${debianPackage}`;
}

function pathOf(program: string): string | undefined {
  return (process.env["PATH"] ?? "")
    .split(delimiter)
    .map((folder) => join(folder, program))
    .find((path) => {
      try {
        accessSync(path, constants.X_OK);
        return true;
      } catch {
        return false;
      }
    });
}

function imports(modules: string): boolean {
  return spawnSync(python, ["-c", `import ${modules}`], { stdio: "ignore" }).status === 0;
}
