/** Reads the configuration of a daemon: defaults, then the file, then the environment, then flags. */
import { closeSync, constants, fstatSync, openSync, readSync } from "node:fs";
import { KoalaError, messageOf } from "@koala/interface";
import { type ConfigInput, checkConfig, type Override } from "./check.ts";
import type { Config } from "./config.ts";
import { type Host, readHost } from "./host.ts";
import { formatProblems } from "./problem.ts";
import type { Document } from "./relation.ts";

/** A file beyond this is no koala.toml. */
const fileBytesMax = 1024 * 1024;

export interface LoadOptions {
  /** The file; without it there is none, and everything not said otherwise has its default. */
  readonly path?: string | undefined;
  /** The flag `--prefix`. */
  readonly prefix?: string | undefined;
  /** The flag `--listen`. */
  readonly listen?: string | undefined;
  /** The process's environment: `KOALA_PREFIX`, `KOALA_LISTEN`, `XDG_RUNTIME_DIR` are read. */
  readonly env: NodeJS.ProcessEnv;
}

/**
 * Reads and checks the configuration.
 *
 * @throws KoalaError `ERR_CONFIG_FILE` when the file can't be read, `ERR_CONFIG_SYNTAX` when it is not
 * TOML, `ERR_CONFIG_INVALID` when anything in it, in the environment or in a flag is wrong; the message
 * holds every problem with its place.
 */
export function loadConfig(options: LoadOptions): Config {
  return loadConfigFile(options).config;
}

/** A configuration, and the file that it is from: to tell later where in it something stands. */
export interface LoadedConfig {
  readonly config: Config;
  readonly document: Document;
}

/** As `loadConfig`, with the file's text and its structure. */
export function loadConfigFile(options: LoadOptions): LoadedConfig {
  const { path, env } = options;
  return configFrom({
    text: path === undefined ? "" : readText(path),
    fileName: path ?? "koala.toml",
    host: readHost(env),
    prefix: pickOverride(
      "--prefix",
      options.prefix,
      "KOALA_PREFIX",
      env["KOALA_PREFIX"] || undefined,
    ),
    listen: pickOverride("--listen", options.listen, "KOALA_LISTEN", env["KOALA_LISTEN"]),
  });
}

/**
 * Checks the text of a `koala.toml`. The file is not touched: the name is for messages and as the base
 * of relative paths. `host` gives the defaults that depend on the machine.
 *
 * @throws KoalaError `ERR_CONFIG_SYNTAX` or `ERR_CONFIG_INVALID`, as `loadConfig`.
 */
export function parseConfig(
  text: string,
  fileName: string,
  host: Host = readHost(process.env),
): Config {
  return configFrom({ text, fileName, host }).config;
}

function configFrom(input: ConfigInput): LoadedConfig {
  const result = checkConfig(input);
  if (result.config !== null) return { config: result.config, document: result.document };
  const { problems } = result;
  const code = problems.syntax ? "ERR_CONFIG_SYNTAX" : "ERR_CONFIG_INVALID";
  throw new KoalaError(code, formatProblems(problems.list));
}

/** The flag wins over the variable. */
function pickOverride(
  flag: string,
  flagValue: string | undefined,
  variable: string,
  variableValue: string | undefined,
): Override | undefined {
  if (flagValue !== undefined) return { source: flag, value: flagValue };
  return variableValue === undefined ? undefined : { source: variable, value: variableValue };
}

function readText(path: string): string {
  let bytes: Buffer;
  try {
    bytes = readBytes(path);
  } catch (error) {
    if (error instanceof KoalaError) throw error;
    const missing = (error as NodeJS.ErrnoException).code === "ENOENT";
    const advice = missing
      ? "Check the path, or leave it out to run with the defaults."
      : "The daemon needs a regular file that it may read.";
    throw new KoalaError(
      "ERR_CONFIG_FILE",
      `${path}: ${missing ? "there is no such file" : messageOf(error)}. ${advice}`,
      { cause: error },
    );
  }
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch (error) {
    throw new KoalaError(
      "ERR_CONFIG_FILE",
      `${path}: not UTF-8, which TOML has to be. Save it as UTF-8.`,
      {
        cause: error,
      },
    );
  }
}

/** Reads a regular file within the limit; opening does not wait, in case it is a pipe. */
function readBytes(path: string): Buffer {
  const fd = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  try {
    if (!fstatSync(fd).isFile()) {
      throw new KoalaError(
        "ERR_CONFIG_FILE",
        `${path}: not a regular file. Give the path of a TOML file.`,
      );
    }
    const bytes = Buffer.alloc(fileBytesMax + 1);
    let length = 0;
    for (;;) {
      const count = readSync(fd, bytes, length, bytes.length - length, null);
      if (count === 0) return bytes.subarray(0, length);
      length += count;
      if (length > fileBytesMax) {
        throw new KoalaError(
          "ERR_CONFIG_FILE",
          `${path}: larger than ${fileBytesMax} bytes, so hardly a koala.toml. Check the path.`,
        );
      }
    }
  } finally {
    closeSync(fd);
  }
}
