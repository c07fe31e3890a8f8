/** The main part of programs that get schemas by name: answers each command with one line. */
import { createInterface } from "node:readline";
import type { DescService } from "@bufbuild/protobuf";
import type { SchemaName } from "../load/binding.ts";
import { endLine } from "../load/load-command.ts";
import { say } from "../load/obey-commands.ts";
import { serviceOf } from "./many-types.ts";

/** Obeys until the end; `ready` is what is said first, beside that. */
export async function obeySchemas<C extends SchemaName>(
  ready: object,
  answer: (command: C, service: DescService) => Promise<object>,
): Promise<void> {
  const services = new Map<string, DescService>();
  const known = (name: SchemaName): DescService => {
    const key = `${name.tag} ${name.types}`;
    const service = services.get(key) ?? serviceOf(name);
    services.set(key, service);
    return service;
  };
  say({ ready: true, ...ready });
  for await (const line of createInterface({ input: process.stdin })) {
    if (line === endLine) break;
    const command = JSON.parse(line) as C;
    // Apps have their descriptors from generated files: making them is not what is measured.
    say(await answer(command, known(command)));
  }
  process.stdin.destroy();
}
