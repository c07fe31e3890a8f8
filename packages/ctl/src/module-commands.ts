/** `koalactl modules`: the code that the daemon has loaded, and what it says of itself. */
import type { ModuleStatus } from "@koala/protocol";
import type { Command } from "commander";
import { askAdmin } from "./admin-client.ts";
import type { ContextOf } from "./context.ts";
import type { Column } from "./table.ts";

const moduleColumns: readonly Column<ModuleStatus>[] = [
  { title: "NAME", cell: (row) => row.name },
  { title: "KIND", cell: (row) => row.kind },
  { title: "VERSION", cell: (row) => row.version },
  { title: "STATE", cell: (row) => row.stateVersion },
  { title: "PROVIDES", cell: (row) => listed(row.provides) },
  { title: "NEEDS", cell: (row) => listed(needsOf(row)) },
  { title: "USED BY", cell: (row) => listed(row.policies) },
  { title: "CODE", cell: (row) => (row.code === "" ? "built in" : `${row.code} ${row.file}`) },
];

/** Adds the command. */
export function addModuleCommands(program: Command, contextOf: ContextOf): void {
  program
    .command("modules")
    .description("code that is loaded: what it provides, what it needs, who uses it")
    .action(async () => {
      const { prefix, output } = contextOf();
      const answer = await askAdmin(prefix, "/v1/modules");
      output.list(answer, answer.modules, moduleColumns, "no modules are loaded");
    });
}

function needsOf({ needs }: ModuleStatus): string[] {
  const { contract, node, features, after } = needs;
  return [
    contract,
    ...(node === "" ? [] : [`node ${node}`]),
    ...features,
    ...after.map((name) => `${name} before it`),
  ];
}

function listed(texts: readonly string[]): string {
  return texts.length === 0 ? "-" : texts.join(", ");
}
