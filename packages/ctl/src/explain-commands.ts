/** `koalactl explain`: what became of a call, and when. */
import { KoalaError } from "@koala/interface";
import { type Command, Option } from "commander";
import { askAdmin } from "./admin-client.ts";
import { type ContextOf, parseCount } from "./context.ts";
import { callColumns, formatCall } from "./explain-view.ts";

interface ExplainFlags {
  last: number;
  failed?: boolean;
}

/** Adds the command. */
export function addExplainCommand(program: Command, contextOf: ContextOf): void {
  program
    .command("explain")
    .description("what became of a call: its way, its policies, the time of each step")
    .argument("[request-id]", "as errors, logs and traces have it; without one, recorded calls")
    .addOption(
      new Option("-n, --last <n>", "without an id: how many").argParser(parseCount).default(20),
    )
    .option("--failed", "without an id: only calls that failed")
    .action(async (id: string | undefined, { last, failed = false }: ExplainFlags) => {
      const { prefix, output } = contextOf();
      if (id === undefined) {
        const query = { last: String(last), ...(failed ? { failed: "1" } : {}) };
        const answer = await askAdmin(prefix, "/v1/calls", query);
        output.list(answer, answer.calls, callColumns, "no call was recorded");
        return;
      }
      const answer = await askAdmin(prefix, "/v1/calls", { id });
      if (answer.calls.length === 0) throw unknownCall(id);
      if (output.format === "json") {
        output.json(answer);
        return;
      }
      const { name } = await askAdmin(prefix, "/v1/status");
      for (const [index, call] of answer.calls.entries()) {
        if (index > 0) output.line("");
        for (const line of formatCall(call, name, output.paint)) output.line(line);
      }
    });
}

function unknownCall(id: string): KoalaError {
  const text = `this daemon has no record of the request ${id}: it keeps those that failed or were slow, and samples of the others, the last thousand of each; ids of other hosts are known there`;
  return new KoalaError("ERR_CTL_NO_CALL", text);
}
