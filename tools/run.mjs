/**
 * The commands of the repository: `node tools/run.mjs VERB [ARGUMENTS]`, behind the scripts in package.json.
 *
 * It has to run in a fresh clone, before anything is installed: plain JavaScript, Node's own modules
 * only. The version of Node is looked at before anything else is loaded, so that an old Node gets a
 * sentence instead of a syntax error.
 */
import process from "node:process";

const floor = { major: 20, minor: 19 };
const [major = 0, minor = 0] = process.versions.node.split(".").map(Number);

if (major < floor.major || (major === floor.major && minor < floor.minor)) {
  process.stderr.write(
    `koala: Node ${floor.major}.${floor.minor} or newer is needed, this is ${process.versions.node} ` +
      `(${process.execPath}). Install a newer one, for example with "nvm install" in this folder.\n`,
  );
  process.exitCode = 1;
} else {
  const { main } = await import("./run/main.mjs");
  process.exitCode = await main(process.argv.slice(2));
}
