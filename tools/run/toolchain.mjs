/** What has to be on the machine before anything can be installed or built. */
import { accessSync, constants, existsSync, statSync } from "node:fs";
import { delimiter, isAbsolute, join } from "node:path";
import process from "node:process";
import { root } from "./root.mjs";
import { ToolError } from "./tool-error.mjs";

/**
 * Where a program is, by PATH; undefined when it is nowhere.
 *
 * @param {string} name
 * @param {string} [path]
 * @returns {string | undefined}
 */
export function findProgram(name, path = process.env["PATH"] ?? "") {
  const places = isAbsolute(name)
    ? [name]
    : path.split(delimiter).map((folder) => join(folder, name));
  return places.find(isProgram);
}

/** @param {string} file */
function isProgram(file) {
  try {
    accessSync(file, constants.X_OK);
    return statSync(file).isFile();
  } catch {
    // Not there or not ours to run: the same to the caller, who looks elsewhere.
    return false;
  }
}

/**
 * The command that runs npm: the very npm that started this process if one did, else the one in PATH.
 *
 * @param {NodeJS.ProcessEnv} [env]
 * @returns {string[]}
 */
export function npmCommand(env = process.env) {
  const execPath = env["npm_execpath"];
  if (execPath?.endsWith(".js") && existsSync(execPath)) return [process.execPath, execPath];
  const npm = findProgram("npm", env["PATH"]);
  if (npm === undefined) {
    throw new ToolError(
      "npm is not in PATH. It comes with Node: install Node from nodejs.org, or add the folder " +
        "that holds npm to PATH.",
    );
  }
  return [npm];
}

/**
 * The addon is compiled on this machine: without compilers everything else would be done in vain, so
 * this is asked first. An addon that is there already was compiled somehow; its own build decides.
 *
 * @param {NodeJS.ProcessEnv} [env]
 * @param {string} [base]
 */
export function requireCompilers(env = process.env, base = root) {
  if (existsSync(join(base, "packages/native/build/koala.node"))) return;
  requireCompiler("CC", "gcc", env);
  requireCompiler("CXX", "g++", env);
}

/**
 * @param {string} variable
 * @param {string} fallback
 * @param {NodeJS.ProcessEnv} env
 */
function requireCompiler(variable, fallback, env) {
  const given = (env[variable] ?? "").trim();
  // The variable may carry arguments ("ccache g++"): its first word is the program.
  const program = given === "" ? fallback : (given.split(/\s+/)[0] ?? fallback);
  if (findProgram(program, env["PATH"]) !== undefined) return;
  throw new ToolError(
    given === ""
      ? `a C++ compiler is needed to build the addon, and ${fallback} is not in PATH. On Debian or ` +
          `Ubuntu: sudo apt-get install g++. Another compiler: set CC and CXX.`
      : `the compiler that ${variable} names, "${given}", is not in PATH. Correct ${variable} or unset it.`,
  );
}
