/** The commands of koalactl, as commander knows them; docs/reference/cli.md is compared with them. */
import { resolve } from "node:path";
import type { MetadataEntry } from "@koala/mrpc";
import { resolvePrefix } from "@koala/mrpc/prefix";
import { Command, InvalidArgumentError, Option } from "commander";
import { askAdmin } from "./admin-client.ts";
import { parseMetadata, runCall } from "./call.ts";
import { addConfigCommands } from "./config-commands.ts";
import type { ContextOf } from "./context.ts";
import { addDoctorCommand } from "./doctor/doctor-command.ts";
import { addEventCommand } from "./event-commands.ts";
import { addExplainCommand } from "./explain-commands.ts";
import { takeInterrupts } from "./interrupt.ts";
import { appColumns, bindingColumns, linkColumns, serviceColumns } from "./list-columns.ts";
import { addModuleCommands } from "./module-commands.ts";
import { type Format, Output, type Surroundings } from "./output.ts";
import { addPolicyCommands } from "./policy-commands.ts";
import { addProjectCommands } from "./project/project-commands.ts";
import { parseDuration } from "./quantity.ts";
import { addRuntimeCommands } from "./runtime-commands.ts";
import { formatStatus } from "./status-view.ts";
import { addTapCommand } from "./tap-commands.ts";
import { addTopCommand } from "./top-commands.ts";
import { addUpgradeCommand } from "./upgrade-commands.ts";
import { version } from "./version.ts";

interface GlobalFlags {
  prefix?: string;
  output: Format;
}

interface CallCommandFlags {
  data: string;
  target?: string;
  timeout: number;
  header: MetadataEntry[];
  wait?: boolean;
}

const helpBehind = `
Environment:
  KOALA_PREFIX  folder of the daemon, unless --prefix says it
  NO_COLOR      no colours

Exit codes: 0 it worked, 1 it was refused or failed, 2 wrong usage, 3 there is no daemon

Examples:
  koalactl init hello
  koalactl status
  koalactl call geo.v1.Geo/Nearest -d '{"lat": 47.4, "lon": 8.5}'
`;

/** The program; a command that fails makes `parseAsync` reject. */
export function createProgram(surroundings: Surroundings): Command {
  const { stdout, stderr } = surroundings;
  const program = new Command("koalactl")
    .description("Shows what a Koala daemon does, changes it while it runs, and makes calls.")
    .version(version, "-V, --version", "print the version")
    .option("--prefix <dir>", "folder of the daemon (default: KOALA_PREFIX, or that of koalad)")
    .addOption(
      new Option("-o, --output <format>", "how to print")
        .choices(["table", "json"])
        .default("table"),
    )
    .helpOption("-h, --help", "print help")
    .helpCommand("help [command]", "print help for a command")
    .configureHelp({ showGlobalOptions: true })
    .configureOutput({
      writeOut: (text) => stdout.write(text),
      writeErr: (text) => stderr.write(text),
    })
    .showSuggestionAfterError(true)
    .showHelpAfterError("(koalactl --help shows what there is)")
    .addHelpText("after", helpBehind)
    .exitOverride();
  const contextOf: ContextOf = () => {
    const { prefix, output } = program.opts<GlobalFlags>();
    return {
      prefix: resolve(resolvePrefix(prefix, surroundings.env)),
      givenPrefix: prefix,
      output: new Output(output, surroundings),
      env: surroundings.env,
      interrupted: () => surroundings.interrupted ?? takeInterrupts(),
    };
  };
  // Under which heading of the help a command stands; their order is that of the reference page.
  program.commandsGroup("Projects and hosts:");
  addProjectCommands(program, contextOf);
  addDoctorCommand(program, contextOf);
  program.commandsGroup("What there is:");
  addLists(program, contextOf);
  program.commandsGroup("Calls:");
  addCall(program, contextOf);
  program.commandsGroup("Changes:");
  addPolicyCommands(program, contextOf);
  addModuleCommands(program, contextOf);
  addConfigCommands(program, contextOf);
  addUpgradeCommand(program, contextOf);
  program.commandsGroup("What there is:");
  addEventCommand(program, contextOf);
  addRuntimeCommands(program, contextOf);
  program.commandsGroup("Calls:");
  addTopCommand(program, contextOf);
  addTapCommand(program, contextOf);
  addExplainCommand(program, contextOf);
  return program;
}

function addLists(program: Command, contextOf: ContextOf): void {
  program
    .command("status")
    .description("the daemon as a whole: state, counts, runtimes")
    .action(async () => {
      const { prefix, output } = contextOf();
      const status = await askAdmin(prefix, "/v1/status");
      if (output.format === "json") output.json(status);
      else for (const line of formatStatus(status, output.paint)) output.line(line);
    });
  program
    .command("apps")
    .description("attached apps, one row a thread")
    .action(async () => {
      const { prefix, output } = contextOf();
      const answer = await askAdmin(prefix, "/v1/apps");
      output.list(answer, answer.apps, appColumns, "no apps are attached");
    });
  program
    .command("services")
    .description("services of this host and of linked hosts")
    .action(async () => {
      const { prefix, output } = contextOf();
      const answer = await askAdmin(prefix, "/v1/services");
      output.list(answer, answer.services, serviceColumns, "nobody serves anything");
    });
  program
    .command("links")
    .description("connections to other daemons")
    .action(async () => {
      const { prefix, output } = contextOf();
      const answer = await askAdmin(prefix, "/v1/links");
      output.list(answer, answer.links, linkColumns, "there are no links");
    });
  program
    .command("bindings")
    .description("clients of apps, and who serves them")
    .action(async () => {
      const { prefix, output } = contextOf();
      const answer = await askAdmin(prefix, "/v1/bindings");
      output.list(answer, answer.bindings, bindingColumns, "no app has a client");
    });
}

function addCall(program: Command, contextOf: ContextOf): void {
  program
    .command("call")
    .description("make one call and print its reply as JSON")
    .argument("<method>", "SERVICE/Method, geo.v1.Geo/Nearest for instance")
    .option("-d, --data <json>", "request as JSON; @FILE reads a file, - standard input", "{}")
    .option("--target <name>", "mesh name (default: the only one that serves it)")
    .addOption(
      new Option("--timeout <time>", "limit for all of it, 500ms or 2m for instance")
        .argParser(parseTimeout)
        .default(5000, "5s"),
    )
    .addOption(
      new Option("-H, --header <key:value>", "metadata for the handler; repeatable")
        .argParser(addHeader)
        .default([], "none"),
    )
    .option("--wait", "wait for somebody who serves it")
    .action(async (method: string, flags: CallCommandFlags) => {
      const { prefix, output } = contextOf();
      const { data, target, timeout: timeoutMs, header: metadata, wait = false } = flags;
      await runCall({ prefix, method, data, target, timeoutMs, metadata, wait }, output);
    });
}

function parseTimeout(text: string): number {
  const ms = parseDuration(text);
  if (ms === undefined) {
    throw new InvalidArgumentError("Expected a time with a unit: 500ms, 5s, 2m or 1h.");
  }
  return ms;
}

function addHeader(text: string, entries: MetadataEntry[]): MetadataEntry[] {
  return [...entries, parseMetadata(text)];
}
