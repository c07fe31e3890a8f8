/**
 * From the text of `koala.toml` to a `Config`, or to everything that is wrong with it. Pure: reads
 * neither files nor the environment.
 */
import { dirname, resolve } from "node:path";
import { prefixBytesMax } from "@koala/protocol";
import { parse, TomlError } from "smol-toml";
import type { Address } from "./address.ts";
import type { Config } from "./config.ts";
import { explainIssue, explainOverride } from "./explain.ts";
import type { Host } from "./host.ts";
import type { Place, Problem } from "./problem.ts";
import { type Document, findRelationProblems } from "./relation.ts";
import { type FileConfig, fileSchema, keyType } from "./schema.ts";
import { findNode, scanToml } from "./toml-positions.ts";

/** Deeper nesting is refused before it costs stack. */
const nestingMax = 32;

/** A value that wins over the file's, and who gave it: `--listen`, `KOALA_LISTEN`. */
export interface Override {
  readonly source: string;
  readonly value: string;
}

/** All that a configuration is made of. */
export interface ConfigInput {
  readonly text: string;
  /** For messages, and as the base of relative paths in the file. */
  readonly fileName: string;
  readonly host: Host;
  readonly prefix?: Override | undefined;
  readonly listen?: Override | undefined;
}

/** The configuration, or the reasons why there is none. */
export type ConfigResult =
  | { readonly config: Config; readonly document: Document; readonly problems: null }
  | { readonly config: null; readonly problems: ConfigProblems };

export interface ConfigProblems {
  /** The file is not TOML at all: there is one problem, and others may hide behind it. */
  readonly syntax: boolean;
  readonly list: readonly Problem[];
}

/** Checks everything and collects all problems; never throws for bad input. */
export function checkConfig(input: ConfigInput): ConfigResult {
  const text = input.text.startsWith("\uFEFF") ? input.text.slice(1) : input.text;
  const document = readDocument(text, input.fileName);
  if ("message" in document) return failed(true, [document]);

  const result = fileSchema.safeParse(document.values);
  const issues = result.success ? [] : result.error.issues;
  const problems = issues.flatMap((issue) => explainIssue(document, issue));
  problems.push(...findRelationProblems(document));

  const prefix = readOverride<string>("prefix", input.prefix, problems);
  const listen = readOverride<Address | null>("listen", input.listen, problems);
  if (!result.success) return failed(false, problems);

  const config = buildConfig(result.data, input, prefix, listen);
  if (Buffer.byteLength(config.daemon.prefix) > prefixBytesMax) {
    problems.push({
      place: prefixPlace(document, input),
      message: `prefix must be a path of at most ${prefixBytesMax} bytes, because the paths of sockets below it are limited to 107; found ${Buffer.byteLength(config.daemon.prefix)}: "${config.daemon.prefix}".`,
      related: [],
    });
  }
  return problems.length > 0 ? failed(false, problems) : { config, document, problems: null };
}

function failed(syntax: boolean, list: readonly Problem[]): ConfigResult {
  return { config: null, problems: { syntax, list } };
}

/** Parses the text, or says where it stops being TOML. */
function readDocument(text: string, source: string): Document | Problem {
  try {
    const values = parse(text, { integersAsBigInt: true, maxDepth: nestingMax });
    return { source, text, values, root: scanToml(text) };
  } catch (error) {
    if (!(error instanceof TomlError)) throw error;
    const lines = text.split("\n");
    const start =
      lines.slice(0, error.line - 1).reduce((sum, line) => sum + line.length + 1, 0) +
      error.column -
      1;
    const [first = ""] = error.message.split("\n");
    const reason = first.replace("Invalid TOML document: ", "");
    return {
      place: { source, text, range: { start, end: start + 1 } },
      message: `this is not TOML: ${reason}.`,
      related: [],
    };
  }
}

/** Reads a flag or variable with the type of its key; undefined when absent or wrong. */
function readOverride<T>(
  key: string,
  override: Override | undefined,
  problems: Problem[],
): T | undefined {
  if (override === undefined) return undefined;
  const result = keyType("daemon", key)!.safeParse(override.value);
  if (result.success) return result.data as T;
  for (const issue of result.error.issues) {
    problems.push(explainOverride(override.source, override.value, issue));
  }
  return undefined;
}

/** Puts the layers together: defaults of the host, then the file, then the overrides. */
function buildConfig(
  file: FileConfig,
  input: ConfigInput,
  prefix: string | undefined,
  listen: Address | null | undefined,
): Config {
  const { host } = input;
  const fileDirectory = resolve(host.directory, dirname(input.fileName));
  const pathOf = (path: string): string => (path === "" ? "" : resolve(fileDirectory, path));
  const filePrefix = resolve(fileDirectory, file.daemon.prefix ?? host.prefix);
  return {
    daemon: {
      ...file.daemon,
      prefix: prefix === undefined ? filePrefix : resolve(host.directory, prefix),
      name: file.daemon.name ?? host.name,
      listen: listen === undefined ? file.daemon.listen : listen,
    },
    peers: file.peers,
    limits: file.limits,
    link: file.link,
    runtime: file.runtime,
    placements: file.placements,
    policies: file.policies,
    ingresses: file.ingresses.map(({ tls: { cert, key, clientCa }, ...ingress }) => ({
      ...ingress,
      tls: { cert: pathOf(cert), key: pathOf(key), clientCa: pathOf(clientCa) },
    })),
    egresses: file.egresses.map(({ descriptors, tls: { enabled, ca, cert, key }, ...egress }) => ({
      ...egress,
      descriptors: pathOf(descriptors),
      tls: { enabled, ca: pathOf(ca), cert: pathOf(cert), key: pathOf(key) },
    })),
    modules: {
      directories: file.modules.directories.map((folder) => resolve(fileDirectory, folder)),
      base: fileDirectory,
    },
    log: {
      level: file.log.level,
      file: file.log.file === "" ? "" : resolve(fileDirectory, file.log.file),
    },
  };
}

/** Who is to blame for the prefix: the flag or variable, the file, or the default. */
function prefixPlace(document: Document, input: ConfigInput): Place {
  if (input.prefix !== undefined) return { source: input.prefix.source, text: "", range: null };
  const node = findNode(document.root, ["daemon", "prefix"]);
  return node === undefined
    ? { source: "XDG_RUNTIME_DIR", text: "", range: null }
    : { source: document.source, text: document.text, range: node.value };
}
