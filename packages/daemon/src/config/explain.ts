/** Makes a person's sentence, with its place, of what zod found. */
import type { z } from "zod";
import type { Place, Problem } from "./problem.ts";
import type { Document } from "./relation.ts";
import { keyNames, repeatedSections } from "./schema.ts";
import { suggest } from "./suggestion.ts";
import { findNode, type TomlNode } from "./toml-positions.ts";

/** Longer values are described, not quoted. */
const quotedLengthMax = 60;

/** The problems of one zod issue: several when one issue names several unknown keys. */
export function explainIssue(document: Document, issue: z.core.$ZodIssue): Problem[] {
  if (issue.code === "unrecognized_keys") {
    return issue.keys.map((key) => explainUnknownKey(document, issue.path, key));
  }
  return [explainValue(document, issue)];
}

/** A value that came from a flag or a variable: the same sentence without a line. */
export function explainOverride(source: string, value: string, issue: z.core.$ZodIssue): Problem {
  const { expected, hint } = wanted(issue);
  const message = `must be ${expected}, found ${JSON.stringify(value)}.${hint}`;
  return { place: { source, text: "", range: null }, message, related: [] };
}

function explainUnknownKey(document: Document, path: readonly PropertyKey[], key: string): Problem {
  const section = sectionOf(path);
  const known = keyNames(section);
  const node = findNode(document.root, [...path, key]);
  const place = placeOf(document, node?.key);

  const kind = section === undefined && isTable(document.values[key]) ? "section" : "key";
  const where = section === undefined ? "" : ` in ${headerOf(section)}`;
  const home = keyNames().find((name) => name !== section && keyNames(name).includes(key));
  const near = suggest(key, known);
  let hint = "";
  if (near !== undefined) {
    hint = ` Did you mean "${near}"?`;
  } else if (kind === "key" && home !== undefined) {
    hint = ` It belongs in ${headerOf(home)}.`;
  } else {
    hint = ` Known here: ${known.join(", ")}.`;
  }
  return { place, message: `unknown ${kind} "${key}"${where}.${hint}`, related: [] };
}

function explainValue(document: Document, issue: z.core.$ZodIssue): Problem {
  const { path } = issue;
  const node = findNode(document.root, path);
  const { expected, hint } = wanted(issue);
  const section = sectionOf(path.length === 1 ? path : path.slice(0, -1)) ?? "";
  const key = path.at(-1);

  if (path.length === 1 || typeof key === "number") {
    const repeated = repeatedSections.includes(section);
    const form = repeated ? `a list of tables, each written [[${section}]]` : "a table";
    const message = `${section} must be ${form}, written ${headerOf(section)}, found ${foundAt(document, node)}.`;
    const text = repeated ? message.replace(`, written ${headerOf(section)}`, "") : message;
    return { place: placeOf(document, node?.value), message: text, related: [] };
  }
  if (node === undefined) {
    // The only way here is a required key that is not given: point to the table that lacks it.
    const table = findNode(document.root, path.slice(0, -1));
    const message = `${headerOf(section)} lacks the key "${String(key)}": ${expected}.${hint}`;
    return { place: placeOf(document, table?.value), message, related: [] };
  }
  const message = `${String(key)} in ${headerOf(section)} must be ${expected}, found ${foundAt(document, node)}.${hint}`;
  return { place: placeOf(document, node.value), message, related: [] };
}

/** What the field wanted; zod's own words for what has none of ours. */
function wanted(issue: z.core.$ZodIssue): { readonly expected: string; readonly hint: string } {
  const params = issue.code === "custom" ? issue.params : undefined;
  const expected = typeof params?.["expected"] === "string" ? params["expected"] : issue.message;
  const hint = typeof params?.["hint"] === "string" ? params["hint"] : "";
  return { expected, hint: hint === "" ? "" : ` ${hint}` };
}

/** The value as it was written, when it is short; else what kind of thing it is. */
function foundAt(document: Document, node: TomlNode | undefined): string {
  if (node === undefined) return "nothing";
  const written = document.text.slice(node.value.start, node.value.end);
  const isHeader = written.startsWith("[") && (node.children.size > 0 || node.items.length > 0);
  if (isHeader) return node.items.length > 0 ? "a list" : "a table";
  if (written.length <= quotedLengthMax && !/\p{Cc}/u.test(written)) return written;
  return `a value of ${written.length} characters`;
}

function placeOf(document: Document, range: TomlNode["value"] | undefined): Place {
  return { source: document.source, text: document.text, range: range ?? null };
}

function headerOf(section: string): string {
  const [name = "", table] = section.split(".");
  const header = repeatedSections.includes(name) ? `[[${name}]]` : `[${name}]`;
  return table === undefined ? header : `${table} of ${header}`;
}

/** `policy.match` for what is in the table `match` of a `[[policy]]`. */
function sectionOf(path: readonly PropertyKey[]): string | undefined {
  const names = path.filter((step) => typeof step === "string");
  return names.length === 0 ? undefined : names.join(".");
}

function isTable(value: unknown): boolean {
  return typeof value === "object" && value !== null && !(value instanceof Date);
}
