/** The files of a new project; tests generate, compile and run it. */

/** A file: its path below the project's folder, and its text. */
export interface TemplateFile {
  readonly path: string;
  readonly text: string;
}

const koalaToml = `# Configuration of koalad. What stands behind a # shows what there is; every key has a default.
# koalad --config koala.toml --check   says what is wrong with this file
# koalactl apply                       applies a change; \`koalactl dev\` does so by itself

[daemon]
# What other daemons call this host. Default: the host's name.
# name = "dev"

# Where other daemons connect to; "" for none.
listen = "127.0.0.1:4500"

[log]
# One level for all, and others for single areas: "info,link=debug".
level = "info"

# Daemons of other hosts to keep a link to, each with a section of its own.
# [[peer]]
# address = "10.0.0.2:4500"

# Policies: what happens to calls. This one lets a hundred calls a second pass.
# [[policy]]
# name = "limit"
# use = "rate-limit"
# match = { service = "hello.v1.GreetService", side = "server" }
# config = { rate = 100 }

# Folders that policies of your own may be loaded from.
# [modules]
# directories = ["policies"]
`;

/** What `koalactl gen` does without a buf.gen.yaml, too: options of protoc-gen-es. */
export const generatorOptions: readonly string[] = [
  "target=ts",
  "import_extension=ts",
  "erasable_syntax=true",
];

/** Where .proto files are. */
export const protoFolder = "proto";
/** Where generated code goes. */
export const generatedFolder = "src/gen";

const bufGen = `# For \`buf generate\`, which \`koalactl gen\` runs: TypeScript from the files below ${protoFolder}/.
version: v2
clean: true
inputs:
  - directory: ${protoFolder}
plugins:
  - local: protoc-gen-es
    out: ${generatedFolder}
    opt:
${generatorOptions.map((option) => `      - ${option}\n`).join("")}`;

const helloProto = `syntax = "proto3";
package hello.v1;

service GreetService {
  rpc Greet(GreetRequest) returns (GreetResponse);
}

message GreetRequest {
  string name = 1;
}

message GreetResponse {
  string text = 1;
}
`;

const server = `import { serve } from "@koala/mrpc";
import { GreetService } from "./gen/hello/v1/hello_pb.ts";

// "greeter" is the name that clients ask for, on this host and on linked ones.
const server = await serve({ name: "greeter" }, (router) => {
  router.service(GreetService, {
    greet: ({ name }) => ({ text: \`Hello, \${name}\` }),
  });
});
console.log("serving greeter");
for (const signal of ["SIGINT", "SIGTERM"] as const) {
  process.once(signal, () => void server.close());
}
`;

const client = `import { connect } from "@koala/mrpc";
import { GreetService } from "./gen/hello/v1/hello_pb.ts";

const mesh = await connect();
try {
  const greeter = mesh.client(GreetService, "greeter");
  const { text } = await greeter.greet({ name: "Koala" }, { timeoutMs: 1000 });
  console.log(text);
} finally {
  await mesh.close();
}
`;

const tsconfig = {
  compilerOptions: {
    target: "es2022",
    module: "nodenext",
    rootDir: "src",
    outDir: "dist",
    rewriteRelativeImportExtensions: true,
    strict: true,
    skipLibCheck: true,
    types: ["node"],
  },
  include: ["src"],
};

/** What the project imports when it runs; `koala` is the version of Koala. */
export function runDependencies(koala: string): Record<string, string> {
  return { "@bufbuild/protobuf": "^2.17.0", "@koala/mrpc": `^${koala}` };
}

/** What it is made with. */
export function devDependencies(koala: string): Record<string, string> {
  return {
    "@bufbuild/buf": "^1.75.0",
    "@bufbuild/protoc-gen-es": "^2.17.0",
    "@koala/ctl": `^${koala}`,
    "@koala/daemon": `^${koala}`,
    "@types/node": "^20.19.0",
    typescript: ">=5.8",
  };
}

/** All files; `name` is that of the package, `koala` the version of Koala. */
export function templateFiles(name: string, koala: string): TemplateFile[] {
  const manifest = {
    name,
    version: "0.1.0",
    private: true,
    type: "module",
    scripts: {
      gen: "koalactl gen",
      build: "koalactl gen && tsc",
      dev: "koalactl dev",
      server: "node dist/server.js",
      client: "node dist/client.js",
    },
    dependencies: runDependencies(koala),
    devDependencies: devDependencies(koala),
  };
  return [
    { path: "koala.toml", text: koalaToml },
    { path: "buf.gen.yaml", text: bufGen },
    { path: `${protoFolder}/hello/v1/hello.proto`, text: helloProto },
    { path: "src/server.ts", text: server },
    { path: "src/client.ts", text: client },
    { path: "tsconfig.json", text: jsonText(tsconfig) },
    { path: manifestPath, text: jsonText(manifest) },
  ];
}

/** The manifest of npm. */
export const manifestPath = "package.json";

function jsonText(value: unknown): string {
  return `${JSON.stringify(value, undefined, 2)}\n`;
}
