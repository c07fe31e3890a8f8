/** The command `koalactl doctor`. */
import { resolve } from "node:path";
import type { Command } from "commander";
import type { ContextOf } from "../context.ts";
import { Exit, ExitWith } from "../exit-code.ts";
import { version } from "../version.ts";
import { examine, printFindings } from "./doctor.ts";

/** Adds the command. */
export function addDoctorCommand(program: Command, contextOf: ContextOf): void {
  program
    .command("doctor")
    .description("check this host, the configuration and the daemon, with a fix for what is wrong")
    .option("--config <file>", "configuration to check (default: koala.toml, if there is one here)")
    .addHelpText(
      "after",
      `
Needs neither a daemon nor root, and changes nothing. Each line is ok, a warning (it works, but not as it
could) or a problem (it does not); the exit code is 1 if there is a problem, else 0.

Examples:
  koalactl doctor
  koalactl doctor --prefix /run/koala --config /etc/koala/koala.toml
  koalactl doctor -o json | jq '.groups[].findings[] | select(.verdict != "ok")'
`,
    )
    .action(async ({ config }: { config?: string }) => {
      const { prefix, givenPrefix, output, env } = contextOf();
      const folder = resolve(".");
      const groups = await examine({
        ...{ folder, givenPrefix, env, version },
        config: config === undefined ? undefined : resolve(config),
        defaultPrefix: prefix,
      });
      if (!printFindings(groups, output)) throw new ExitWith(Exit.FAILED);
    });
}
