/** Files that a policy's configuration names. */
import { readFileSync, statSync } from "node:fs";
import { z } from "zod";

/** Larger ones are refused. */
export const configFileBytesMax = 1_048_576;

/** A file that a table names, and what was in it. */
export interface ConfigFile {
  readonly path: string;
  readonly text: string;
}

/** Reads a file that a table names. Throws an Error that says why not. */
export function readConfigFile(path: string): ConfigFile {
  if (!path.startsWith("/")) throw new Error(`expected an absolute path, found ${path}`);
  try {
    const { size } = statSync(path);
    if (size > configFileBytesMax) throw new Error(`${size} bytes, ${configFileBytesMax} at most`);
    return { path, text: readFileSync(path, "utf8") };
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new Error(`can't read ${path}: ${reason}`, { cause });
  }
}

/**
 * A key of a table that names a file, which `fileKeys` of the definition has to list: then the daemon has
 * read it, once for all runtimes, and keeps what was in it with the revision. Without a daemon, as in tests,
 * it is read here.
 */
export function configFileField(): z.ZodType<ConfigFile> {
  return z
    .unknown()
    .meta({ type: "string" })
    .transform((value, context): ConfigFile => {
      if (isConfigFile(value)) return value;
      try {
        if (typeof value === "string") return readConfigFile(value);
        context.issues.push({ code: "custom", input: value, message: "expected an absolute path" });
      } catch (error) {
        const message = error instanceof Error ? error.message : String(error);
        context.issues.push({ code: "custom", input: value, message });
      }
      return z.NEVER;
    });
}

function isConfigFile(value: unknown): value is ConfigFile {
  if (typeof value !== "object" || value === null) return false;
  const { path, text } = value as Partial<ConfigFile>;
  return typeof path === "string" && typeof text === "string";
}
