/**
 * The process that cleans up when the launcher can't: `guard.js RUN FOLDER`. It sees that the launcher has
 * ended, in whatever way, by the end of its own stdin. Then it ends every process that has the run's name in its
 * environment, which is inherited by all that the launcher has started and by all that these have, and removes the
 * run's folder. It has a session of its own, so that no terminal ends it with the launcher.
 */
import { rmSync } from "node:fs";
import { endRun } from "./run-processes.ts";

const [, , run = "", folder = ""] = process.argv;

process.stdin.resume();
process.stdin.once("close", () => {
  // What is ended last may start something first; the second look finds that.
  void endRun(run).then(() => rmSync(folder, { recursive: true, force: true }));
});
process.stdout.write("ready\n");
