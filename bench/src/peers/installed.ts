/** What is installed on this machine, and how it is run. */
import { accessSync, constants } from "node:fs";
import { delimiter, join } from "node:path";
import { spawnProgram } from "@koala/testing";

/** Where Debian puts daemons; not on the path of every user. */
const daemonFolder = "/usr/sbin";
/** How much of what a program has printed an error says. */
const saidLines = 3;

/** The path of a program; undefined when it is not on `path`. */
export function programPath(
  name: string,
  path: string = `${process.env["PATH"] ?? ""}${delimiter}${daemonFolder}`,
): string | undefined {
  return path
    .split(delimiter)
    .filter((folder) => folder !== "")
    .map((folder) => join(folder, name))
    .find((file) => {
      try {
        accessSync(file, constants.X_OK);
        return true;
      } catch {
        return false;
      }
    });
}

/** Runs a program to its end; resolves with what it printed, rejects with the last lines of it. */
export async function output(
  program: string,
  args: readonly string[],
  timeoutMs: number,
): Promise<string> {
  const child = spawnProgram(program, args);
  const ended = await child.exit(timeoutMs).catch(() => undefined);
  if (ended?.code === 0) return child.output();
  const said = child.output().trim().split("\n").slice(-saidLines).join("; ");
  if (ended === undefined) child.kill();
  const how = ended === undefined ? `did not end within ${timeoutMs / 1000} s` : "failed";
  throw new Error(`${program} ${how}${said === "" ? "" : `: ${said}`}`);
}
