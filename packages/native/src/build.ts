/**
 * Builds the addon: `node dist/build.js [--force]`.
 *
 * Calls the compiler directly, because the sources need nothing that a build system offers, and takes the
 * headers that lie beside the running `node`, because a build must not download anything. Does nothing
 * when sources, headers, flags and compiler are those of the binary that is there.
 */
import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  realpathSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { availableParallelism } from "node:os";
import { basename, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { KoalaError, messageOf } from "@koala/interface";

const packageFolder = fileURLToPath(new URL("..", import.meta.url));
const sharedFlags = ["-O2", "-fPIC", "-fvisibility=hidden", "-Wall", "-Wextra", "-Werror"];
const cFlags = ["-std=c11", "-D_GNU_SOURCE", ...sharedFlags];
const cxxFlags = ["-std=c++20", "-D_GNU_SOURCE", "-fno-exceptions", "-fno-rtti", ...sharedFlags];
const linkFlags = ["-shared", "-Wl,--as-needed", "-Wl,-z,relro,-z,now"];

/** Where a Node installation may keep its headers, in the order they are tried. */
export function headerFolders(environment: NodeJS.ProcessEnv, execPath: string): string[] {
  const folders = [join(dirname(dirname(realpathSync(execPath))), "include", "node")];
  const nodedir = environment["npm_config_nodedir"];
  if (nodedir !== undefined && nodedir !== "") {
    // An installation has include/node, a source tree has src and deps/uv/include.
    folders.push(join(nodedir, "include", "node"), join(nodedir, "include"), nodedir);
  }
  return folders;
}

/** The first folder that has Node-API's and libuv's headers; throws naming every place it looked at. */
export function findHeaders(folders: readonly string[]): string {
  for (const folder of folders) {
    if (existsSync(join(folder, "node_api.h")) && existsSync(join(folder, "uv.h"))) return folder;
  }
  throw new KoalaError(
    "ERR_NATIVE_HEADERS",
    `no Node headers (node_api.h and uv.h) in ${folders.join(", ")}; use an official Node build, which ` +
      "has them in <prefix>/include/node, or set npm_config_nodedir to a folder with include/node",
  );
}

interface Sources {
  c: string[];
  cxx: string[];
  all: string[];
}

function listSources(): Sources {
  const all = ["core", "glue"].flatMap((folder) => {
    const path = join(packageFolder, "addon", folder);
    return readdirSync(path)
      .sort()
      .map((name) => join(path, name));
  });
  return {
    c: all.filter((path) => path.endsWith(".c")),
    cxx: all.filter((path) => path.endsWith(".cc")),
    all,
  };
}

/** What the binary depends on: equal hashes, equal binaries. */
function hashInputs(sources: Sources, headers: string, compilers: readonly string[]): string {
  const hash = createHash("sha256");
  hash.update(JSON.stringify([cFlags, cxxFlags, linkFlags, compilers, process.arch]));
  const headerFiles = ["node_api.h", "node_api_types.h", "js_native_api.h", "uv.h", "uv/version.h"];
  for (const path of [...sources.all, ...headerFiles.map((name) => join(headers, name))]) {
    hash.update(`\0${basename(path)}\0`);
    if (existsSync(path)) hash.update(readFileSync(path));
  }
  return hash.digest("hex");
}

function runCompiler(compiler: string, flags: readonly string[]): Promise<void> {
  return new Promise((resolve, reject) => {
    execFile(compiler, flags, { maxBuffer: 16 << 20 }, (error, _stdout, stderr) => {
      if (error === null) return resolve();
      reject(
        error.code === "ENOENT"
          ? new KoalaError(
              "ERR_NATIVE_COMPILER",
              `no compiler "${compiler}"; install gcc and g++ (Debian: apt-get install g++), or set CC and CXX`,
            )
          : new KoalaError(
              "ERR_NATIVE_COMPILE",
              `${compiler} failed on ${basename(flags.at(-1) ?? "")}:\n${stderr || error.message}`,
            ),
      );
    });
  });
}

/** Runs the jobs, as many at a time as there are processors. The first failure ends it. */
async function runJobs(jobs: readonly (() => Promise<void>)[]): Promise<void> {
  let next = 0;
  const work = async (): Promise<void> => {
    for (let job = jobs[next++]; job !== undefined; job = jobs[next++]) await job();
  };
  await Promise.all(Array.from({ length: availableParallelism() }, work));
}

/** `CC="ccache gcc"` is a program and its first arguments. */
function compilerFrom(value: string | undefined, fallback: string): string[] {
  const words = (value ?? "").split(" ").filter((word) => word !== "");
  return words.length > 0 ? words : [fallback];
}

/** Builds `build/koala.node` unless it is up to date; returns whether it compiled. */
export async function buildAddon(force = false): Promise<boolean> {
  const headers = findHeaders(headerFolders(process.env, process.execPath));
  const cc = compilerFrom(process.env["CC"], "gcc");
  const cxx = compilerFrom(process.env["CXX"], "g++");
  const sources = listSources();
  const buildFolder = join(packageFolder, "build");
  const binary = join(buildFolder, "koala.node");
  const stamp = join(buildFolder, "koala.stamp");
  const hash = hashInputs(sources, headers, [...cc, ...cxx]);
  if (!force && existsSync(binary) && existsSync(stamp) && readFileSync(stamp, "utf8") === hash) {
    return false;
  }
  // Two builds may run at once, and processes may have the old binary mapped: work aside, then rename.
  const work = join(buildFolder, `work-${process.pid}`);
  mkdirSync(work, { recursive: true });
  try {
    await compileInto(work, sources, headers, cc, cxx);
    renameSync(join(work, "koala.node"), binary);
    writeFileSync(join(work, "koala.stamp"), hash);
    renameSync(join(work, "koala.stamp"), stamp);
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
  return true;
}

async function compileInto(
  work: string,
  sources: Sources,
  headers: string,
  cc: readonly string[],
  cxx: readonly string[],
): Promise<void> {
  const objects: string[] = [];
  const jobFor = (compiler: readonly string[], flags: string[], source: string) => {
    const object = join(work, `${basename(source)}.o`);
    objects.push(object);
    const [program = "", ...first] = compiler;
    return () => runCompiler(program, [...first, ...flags, "-c", "-o", object, source]);
  };
  const include = `-I${headers}`;
  await runJobs([
    ...sources.cxx.map((source) => jobFor(cxx, [...cxxFlags, include], source)),
    ...sources.c.map((source) => jobFor(cc, cFlags, source)),
  ]);
  const [program = "", ...first] = cxx;
  await runCompiler(program, [...first, ...linkFlags, ...objects, "-o", join(work, "koala.node")]);
}

if (
  process.argv[1] !== undefined &&
  realpathSync(process.argv[1]) === fileURLToPath(import.meta.url)
) {
  try {
    const start = performance.now();
    const built = await buildAddon(process.argv.includes("--force"));
    const seconds = ((performance.now() - start) / 1000).toFixed(1);
    console.log(built ? `addon built in ${seconds} s` : "addon is up to date");
  } catch (error) {
    console.error(`koala: ${messageOf(error)}`);
    process.exitCode = 1;
  }
}
