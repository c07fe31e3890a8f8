/** The commands for a project: `init`, `gen` and `dev`. */
import type { Command } from "commander";
import type { ContextOf } from "../context.ts";
import { version } from "../version.ts";
import { runDev } from "./dev.ts";
import { runGen } from "./gen.ts";
import { initProject, printInit } from "./init.ts";

/** Adds them. */
export function addProjectCommands(program: Command, contextOf: ContextOf): void {
  program
    .command("init")
    .description("write a service, a client and their configuration into a folder")
    .argument("[dir]", "the folder", ".")
    .addHelpText(
      "after",
      `
Writes koala.toml, buf.gen.yaml, proto/hello/v1/hello.proto, src/server.ts, src/client.ts, tsconfig.json and
package.json, and says what to do next. A file that is there already stays as it is.

Examples:
  koalactl init hello
  cd my-service && koalactl init
`,
    )
    .action((folder: string) => printInit(initProject(folder, version), contextOf().output));
  program
    .command("gen")
    .description("make TypeScript of .proto files, with buf or protoc")
    .argument("[dir]", "folder of the project", ".")
    .option("-w, --watch", "again whenever a .proto file changes, until Ctrl-C")
    .addHelpText(
      "after",
      `
Runs \`buf generate\` where buf is installed: in node_modules/.bin of the project or of a folder around it, else in
PATH. Without a buf.gen.yaml it takes .proto files from proto/ and writes to src/gen/. Where there is only
protoc, it does the same with protoc and protoc-gen-es. Where there is neither, it says what to install.

Examples:
  koalactl gen
  koalactl gen services/geo --watch
`,
    )
    .action(async (folder: string, { watch = false }: { watch?: boolean }) => {
      await runGen({ folder, watch }, contextOf());
    });
  program
    .command("dev")
    .description("run a daemon in this terminal, with a log for people")
    .option("--config <file>", "its configuration (default: koala.toml, if there is one here)")
    .option("--listen <address>", 'host:port for other daemons; port 0 takes a free one, "" none')
    .option("--temporary", "in a prefix of its own that goes away with it, with a free port")
    .addHelpText(
      "after",
      `
Needs no root. Prints where apps find the daemon, then its log; with -o json one JSON object a line. The configuration is
applied again whenever the file changes. Ctrl-C lets calls in flight end, a second one does not.

Examples:
  koalactl dev
  koalactl dev --temporary         beside a daemon that runs already
  KOALA_LOG=debug koalactl dev     with more of a log
`,
    )
    .action(async (flags: { config?: string; listen?: string; temporary?: boolean }) => {
      const { config, listen, temporary = false } = flags;
      await runDev({ config, listen, temporary }, contextOf());
    });
}
