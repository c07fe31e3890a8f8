/** `koalactl policy …`: policies that run, and changes of them by hand. */
import type { PolicySpec, SetPolicyRequest } from "@koala/protocol";
import { type Command, Option } from "commander";
import { askAdmin, postAdmin } from "./admin-client.ts";
import { printChange } from "./change-view.ts";
import { type ContextOf, dryRunOption, parseWhole } from "./context.ts";
import { usageError } from "./exit-code.ts";
import { runPolicyDev } from "./policy-dev.ts";
import { moduleOf, nameOf, type PolicyFlags, parseAssignments, partsOf } from "./policy-flags.ts";
import { addTryCommand } from "./policy-try.ts";
import { noteFailures, policyColumns } from "./policy-view.ts";

interface AttachFlags extends PolicyFlags {
  use?: string;
  disabled?: boolean;
  dryRun?: boolean;
}

interface SetFlags extends PolicyFlags {
  enable?: boolean;
  disable?: boolean;
  reset?: boolean;
  dryRun?: boolean;
}

/** Adds the commands. */
export function addPolicyCommands(program: Command, contextOf: ContextOf): void {
  const policy = program.command("policy").description("policies: what happens to calls");
  addList(policy, contextOf);
  addAttach(policy, contextOf);
  addDetach(policy, contextOf);
  addSet(policy, contextOf);
  addDev(policy, contextOf);
  addTryCommand(policy, contextOf);
}

function addList(policy: Command, contextOf: ContextOf): void {
  policy
    .command("list")
    .description("attached policies, in the order in which they see a request")
    .action(async () => {
      const { prefix, output } = contextOf();
      const answer = await askAdmin(prefix, "/v1/policies");
      output.list(answer, answer.policies, policyColumns, "no policies are attached");
      noteFailures(answer.policies, output);
    });
}

function addAttach(policy: Command, contextOf: ContextOf): void {
  const command = policy
    .command("attach")
    .description("attach a policy to calls that are made now and later")
    .argument("<name>", "its name; denials and counters carry it")
    .option("--use <module>", "what it is: acl, a package, or the path of a file (default: NAME)");
  addPolicyOptions(command)
    .option("--disabled", "attach it without letting it act")
    .addOption(dryRunOption())
    .action(async (text: string, flags: AttachFlags) => {
      const { prefix, output } = contextOf();
      const { use = text, disabled, dryRun = false } = flags;
      const spec: PolicySpec = {
        name: nameOf(text),
        use: moduleOf(use),
        ...partsOf(flags),
        ...(disabled === true ? { enabled: false } : {}),
      };
      const answer = await postAdmin(prefix, "/v1/policies/attach", { policy: spec, dryRun });
      printChange(answer, output);
    });
}

function addDetach(policy: Command, contextOf: ContextOf): void {
  policy
    .command("detach")
    .description("take a policy out; calls that it holds go on without it")
    .argument("<name>", "as `koalactl policy list` shows it")
    .addOption(dryRunOption())
    .action(async (name: string, { dryRun = false }: { dryRun?: boolean }) => {
      const { prefix, output } = contextOf();
      printChange(await postAdmin(prefix, "/v1/policies/detach", { name, dryRun }), output);
    });
}

function addSet(policy: Command, contextOf: ContextOf): void {
  const command = policy
    .command("set")
    .description("change a policy that is attached")
    .argument("<name>", "as `koalactl policy list` shows it")
    .argument("[key=value...]", "keys of its configuration; JSON or text, null removes one");
  addPolicyOptions(command)
    .addOption(new Option("--enable", "let it act").conflicts("disable"))
    .addOption(new Option("--disable", "do not let it act"))
    .option("--reset", "drop what was set by hand: as koala.toml has it")
    .addOption(dryRunOption())
    .action(async (name: string, assignments: string[], flags: SetFlags) => {
      const { prefix, output } = contextOf();
      const change = setRequestOf(name, assignments, flags);
      printChange(await postAdmin(prefix, "/v1/policies/set", change), output);
    });
}

function setRequestOf(
  name: string,
  assignments: readonly string[],
  flags: SetFlags,
): SetPolicyRequest {
  const { enable, disable, reset, dryRun = false } = flags;
  const change = {
    ...partsOf(flags),
    ...(assignments.length === 0 ? {} : { merge: parseAssignments(assignments) }),
    ...(enable === true ? { enabled: true } : {}),
    ...(disable === true ? { enabled: false } : {}),
    ...(reset === true ? { reset } : {}),
  };
  if (Object.keys(change).length === 0) {
    throw usageError(`nothing to set: give key=value or an option, see koalactl policy set --help`);
  }
  return { name, ...change, dryRun };
}

function addDev(policy: Command, contextOf: ContextOf): void {
  const command = policy
    .command("dev")
    .description("attach a file, and upgrade to it on each change until Ctrl-C detaches it")
    .argument("<file>", "a module that exports a policy")
    .option("--name <name>", "its name (default: that of the file)");
  addPolicyOptions(command).action(async (file: string, flags: PolicyFlags & { name?: string }) => {
    const { name = nameOf(file), ...rest } = flags;
    await runPolicyDev({ file, name, parts: partsOf(rest) }, contextOf());
  });
}

/** What `attach`, `set` and `dev` have in common. */
function addPolicyOptions(command: Command): Command {
  return command
    .addOption(
      new Option(
        "-m, --match <key=value,...>",
        "calls that it sees: service, method, caller, target, side, label.NAME; repeatable",
      ).argParser((text: string, before: string[] | undefined) => [...(before ?? []), text]),
    )
    .option("-c, --config <json>", "its configuration; @FILE reads a file, - standard input")
    .addOption(new Option("--order <n>", "smaller goes first").argParser(parseWhole))
    .addOption(
      new Option("--on-failure <mode>", "what becomes of calls when it fails").choices([
        "open",
        "closed",
      ]),
    )
    .option("--budget <time>", "longest time that it may take for one call, 20ms for instance");
}
