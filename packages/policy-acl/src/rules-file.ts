/** Rules that stand in a file of their own. */
import { messageOf } from "@koala/interface";
import type { ConfigFile, z } from "@koala/policy";
import { parse, TomlError } from "smol-toml";
import type { AclRule } from "./config.ts";

export interface LoadedRules {
  readonly rules: readonly AclRule[];
  /** Each with file and line. */
  readonly problems: readonly string[];
}

/** Reads the `[[rule]]` tables of a TOML file. Never throws. */
export function loadRules({ path, text }: ConfigFile, type: z.ZodType<AclRule>): LoadedRules {
  let table: Record<string, unknown>;
  try {
    table = parse(text);
  } catch (error) {
    return { rules: [], problems: [describe(path, error)] };
  }
  const unknown = Object.keys(table).filter((key) => key !== "rule");
  if (unknown.length > 0 || (table["rule"] !== undefined && !Array.isArray(table["rule"]))) {
    const found = unknown[0] ?? "[rule]";
    return { rules: [], problems: [`${path}: expected [[rule]] tables only, found ${found}`] };
  }
  return checked(path, text, (table["rule"] ?? []) as readonly unknown[], type);
}

function describe(path: string, error: unknown): string {
  if (!(error instanceof TomlError)) return `can't read the rules in ${path}: ${messageOf(error)}`;
  const [reason] = error.message.replace(/^Invalid TOML document: /, "").split("\n");
  return `${path}:${error.line}:${error.column}: ${reason}`;
}

function checked(
  path: string,
  text: string,
  tables: readonly unknown[],
  type: z.ZodType<AclRule>,
): LoadedRules {
  const lines = linesOfRules(text);
  const rules: AclRule[] = [];
  const problems: string[] = [];
  for (const [index, table] of tables.entries()) {
    const place = lines.length === tables.length ? `${path}:${lines[index]}` : path;
    const result = type.safeParse(table);
    if (result.success) {
      rules.push({ ...result.data, place });
      continue;
    }
    for (const { path: keys, message } of result.error.issues) {
      problems.push(`${place}: rule ${index + 1}: ${[...keys, message].map(String).join(": ")}`);
    }
  }
  return { rules, problems };
}

/** Lines at which rules begin, from 1. Not to be relied on when a text in the file looks like a rule. */
function linesOfRules(text: string): number[] {
  return text
    .split("\n")
    .flatMap((line, index) => (/^\s*\[\[\s*rule\s*\]\]/.test(line) ? [index + 1] : []));
}
