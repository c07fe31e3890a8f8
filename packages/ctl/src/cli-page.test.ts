import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { describe, it } from "node:test";
import { adminPaths, adminPostPaths } from "@koala/protocol";
import type { Argument, Command } from "commander";
import { Exit } from "./exit-code.ts";
import { createProgram } from "./program.ts";

const page = readFileSync(new URL("../../../docs/reference/cli.md", import.meta.url), "utf8");
const program = createProgram(process);

/** The text under a heading, up to the next one of any level. */
function section(heading: string): string {
  const start = page.indexOf(`\n${heading}\n`);
  assert.notEqual(start, -1, `the page has no heading ${heading}`);
  const rest = page.slice(start + heading.length + 2);
  const end = rest.search(/^#{1,3} /m);
  return end === -1 ? rest : rest.slice(0, end);
}

/** First cells of a section's table rows, without the backticks. */
function firstCells(heading: string, pattern: RegExp): string[] {
  return [...section(heading).matchAll(/^\| (.+?) +\|/gm)]
    .map(([, cell]) => cell!.replaceAll("`", ""))
    .filter((cell) => pattern.test(cell));
}

/** `-o, --output <format>` of every option, help included. */
function flagsOf(command: Command): string[] {
  const help = command.createHelp();
  return help.visibleOptions(command).map((option) => option.flags);
}

/** A command, and its subcommands behind it. */
function withSubcommands(command: Command): Command[] {
  return [command, ...command.commands.flatMap(withSubcommands)];
}

const commands = program.commands.flatMap(withSubcommands);

function headingOf(command: Command): string {
  const args = command.registeredArguments.map((argument) => ` ${usageOf(argument)}`).join("");
  return `### \`${pathOf(command)}${args}\``;
}

function pathOf(command: Command): string {
  return command.parent === null ? command.name() : `${pathOf(command.parent)} ${command.name()}`;
}

function usageOf(argument: Argument): string {
  const name = `${argument.name()}${argument.variadic ? "..." : ""}`;
  return argument.required ? `<${name}>` : `[${name}]`;
}

describe("docs/reference/cli.md", () => {
  it("has the options of koalactl, and no other", () => {
    assert.deepEqual(firstCells("## `koalactl`", /^--?[a-zA-Z]/).sort(), flagsOf(program).sort());
  });

  it("has every command, in order, and no other", () => {
    const found = [...page.matchAll(/^### `koalactl .*`$/gm)].map(([heading]) => heading);
    const expected = commands.map(headingOf);
    assert.deepEqual(found, [...expected, "### `koalactl help [command]`"]);
  });

  it("has the options of every command, and no other", () => {
    for (const command of commands) {
      const own = flagsOf(command).filter((flags) => !flags.endsWith("--help"));
      assert.deepEqual(firstCells(headingOf(command), /^--?[a-zA-Z]/), own, command.name());
    }
  });

  it("has the exit codes and the paths of the admin socket", () => {
    const codes = Object.values(Exit).map(String);
    assert.deepEqual(firstCells("## `koalactl`", /^\d+$/), codes);
    const paths = firstCells("## The admin socket", /^\//).map((path) => path.split("?")[0]);
    assert.deepEqual(paths, adminPaths);
    const posts = firstCells("## The admin socket", /^POST /).map((path) => path.slice(5));
    assert.deepEqual(posts, adminPostPaths);
  });
});
