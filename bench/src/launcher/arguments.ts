/** The command line of `npm run eval`. */
import { KoalaError } from "@koala/interface";
import { suggest } from "../suggestion.ts";

export interface Arguments {
  /** Names of experiments; all when empty. */
  readonly names: readonly string[];
  readonly help: boolean;
  readonly quick: boolean;
  readonly publish: boolean;
  /** A run that is rendered again in place of measuring. */
  readonly render: string | undefined;
  /** Where the experiments are, if not in the repository's `eval/`. */
  readonly folder: string | undefined;
}

export const usage = `npm run eval [-- NAME...] [OPTION...]

Runs the experiments of eval/, or those that are named.

  --quick        seconds for all of them: shows that it works, measures nothing
  --publish      also writes the results, plots and report that are committed: eval/NAME/, eval/REPORT.md
  --render RUN   renders the results of a run again, and measures nothing
  --folder PATH  where the experiments are and their results go, if not eval/
  --help         this text

Results go to eval/results/RUN.jsonl and eval/results/RUN/report.md.
`;

const flags = ["--quick", "--publish", "--help"];
const withValue = ["--render", "--folder"];

/** Reads the arguments; `ERR_EVAL_USAGE` for what is not known. */
export function parseArguments(args: readonly string[]): Arguments {
  const names: string[] = [];
  const found = new Map<string, string>();
  for (let i = 0; i < args.length; i++) {
    const arg = args[i]!;
    if (!arg.startsWith("-")) {
      names.push(arg);
      continue;
    }
    if (!flags.includes(arg) && !withValue.includes(arg)) throw unknownOption(arg);
    const value = withValue.includes(arg) ? args[++i] : "";
    if (value === undefined) throw misuse(`the option ${arg} needs a value`);
    found.set(arg, value);
  }
  const quick = found.has("--quick");
  const publish = found.has("--publish");
  if (quick && publish) throw misuse("--quick measures nothing that could be published");
  const [render, folder] = [found.get("--render"), found.get("--folder")];
  return { names, help: found.has("--help"), quick, publish, render, folder };
}

function unknownOption(arg: string): KoalaError {
  const all = [...flags, ...withValue];
  const near = suggest(arg, all);
  const hint = near === undefined ? "" : ` Did you mean "${near}"?`;
  return misuse(`unknown option "${arg}".${hint} There are: ${all.join(", ")}`);
}

function misuse(message: string): KoalaError {
  return new KoalaError("ERR_EVAL_USAGE", message);
}
