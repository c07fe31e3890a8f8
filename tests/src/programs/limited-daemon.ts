/** A daemon that may open few files: `limited-daemon.js FILES ARGUMENT...`. Ends with it. */
import { spawn } from "node:child_process";
import { fileURLToPath } from "node:url";

const [files = "", ...args] = process.argv.slice(2);
const main = fileURLToPath(import.meta.resolve("@koala/daemon/main"));
const shell = 'ulimit -n "$0" && exec "$@"';
const child = spawn("sh", ["-c", shell, files, process.execPath, main, ...args], {
  stdio: "inherit",
});
process.once("SIGTERM", () => child.kill("SIGTERM"));
child.once("exit", (code) => process.exit(code ?? 1));
