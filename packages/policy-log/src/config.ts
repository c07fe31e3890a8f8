/** The configuration of an access log. */
import { statSync } from "node:fs";
import { dirname, isAbsolute } from "node:path";
import { checkSyntax } from "@koala/cel";
import { type ConfigProblem, durationField, probabilityField, z } from "@koala/policy";

/** The `config` table of a `[[policy]]` that uses `log`. */
export interface LogConfig {
  /** Absolute path of the file; standard error when not given. */
  readonly file?: string | undefined;
  readonly format: "json" | "text";
  /** Share of the calls that are logged. */
  readonly sample: number;
  /** Calls that end with another status than OK are logged whatever `sample` says. */
  readonly errors: boolean;
  /** Keys of request metadata to log; keys that end in `-bin` are logged in base64. */
  readonly metadata: readonly string[];
  /** What else to log, by name: expressions. */
  readonly fields: Readonly<Record<string, string>>;
  /** Lines that are written together. */
  readonly batch: number;
  /** Longest time that a line waits for others, ms. */
  readonly flush: number;
  /** Bytes that may wait to be written; what comes on top is dropped and counted. */
  readonly backlog: number;
}

/** Names that lines have already. */
export const ownNames: readonly string[] = [
  "time",
  "id",
  "service",
  "method",
  "caller",
  "host",
  "target",
  "endpoint",
  "side",
  "status",
  "origin",
  "message",
  "duration_ms",
  "request_bytes",
  "response_bytes",
  "request_messages",
  "response_messages",
  "metadata",
];

const name = z.string().regex(/^[a-z][a-z0-9_]{0,63}$/, "expected a name such as tenant_id");

/** Type and defaults of the `config` table. */
export const logConfig: z.ZodType<LogConfig> = z.strictObject({
  file: z.string().min(1).max(1024).optional(),
  format: z.enum(["json", "text"]).default("json"),
  sample: probabilityField().default(1),
  errors: z.boolean().default(true),
  metadata: z.array(z.string().min(1).max(255).toLowerCase()).max(32).default([]),
  fields: z.record(name, z.string().min(1).max(4096)).default({}),
  batch: z.int().min(1).max(1000).default(100),
  flush: durationField({ minMs: 1, maxMs: 60_000 }).default(100),
  backlog: z
    .int()
    .min(64 * 1024)
    .max(1024 * 1024 * 1024)
    .default(8 * 1024 * 1024),
});

/** What the types can't say: files, expressions. */
export function checkConfig({ file, fields }: LogConfig): ConfigProblem[] {
  const problems: ConfigProblem[] = [];
  if (file !== undefined) {
    if (!isAbsolute(file)) {
      problems.push({ path: ["file"], message: "expected an absolute path" });
    } else if (statSync(dirname(file), { throwIfNoEntry: false })?.isDirectory() !== true) {
      problems.push({ path: ["file"], message: `there is no directory ${dirname(file)}` });
    }
  }
  for (const [key, text] of Object.entries(fields)) {
    if (ownNames.includes(key)) {
      problems.push({ path: ["fields", key], message: "every line has a value of this name" });
    }
    for (const { message, offset } of checkSyntax(text)) {
      problems.push({ path: ["fields", key], message, offset });
    }
  }
  return problems;
}
