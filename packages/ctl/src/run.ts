/** One run of koalactl, from arguments to exit code. */
import { CommanderError } from "commander";
import { Exit, ExitWith, exitCodeOf } from "./exit-code.ts";
import { type Format, Output, type Surroundings } from "./output.ts";
import { createProgram } from "./program.ts";

/** Runs a command line (without node and script); never rejects. */
export async function run(
  args: readonly string[],
  surroundings: Surroundings = process,
): Promise<Exit> {
  const program = createProgram(surroundings);
  try {
    await program.parseAsync(args, { from: "user" });
    return Exit.OK;
  } catch (error) {
    // Commander has printed what it had to say.
    if (!(error instanceof CommanderError || error instanceof ExitWith)) {
      const format = program.opts<{ output: Format }>().output;
      new Output(format, surroundings).failure(error);
    }
    return exitCodeOf(error);
  }
}
