/**
 * Where each key and value of a TOML document stands in its text.
 *
 * The TOML parser gives values without positions, so this scanner walks over the same text once more and
 * keeps nothing but structure. It trusts that the parser has accepted the text: it checks nothing, and on
 * text that is not TOML its answer is of no use, but it always ends.
 */
import { parse } from "smol-toml";

/** A piece of text, in UTF-16 code units: `start` is inside, `end` is not. */
export interface TextRange {
  readonly start: number;
  readonly end: number;
}

/** One key or one array item of the document, with what is below it. */
export interface TomlNode {
  /** The last part of the key; for an item of an array, the item itself. */
  key: TextRange;
  /** The value; for a table made by a header, the header with its brackets. */
  value: TextRange;
  readonly children: Map<string, TomlNode>;
  /** Items of an array, or the tables of an array of tables. */
  readonly items: TomlNode[];
}

interface Cursor {
  readonly text: string;
  at: number;
}

interface KeyPart {
  readonly name: string;
  readonly range: TextRange;
}

/** Scans a document; the root's own ranges are the whole text. */
export function scanToml(text: string): TomlNode {
  const root = createNode({ start: 0, end: text.length });
  const cursor: Cursor = { text, at: text.startsWith("\uFEFF") ? 1 : 0 };
  let table = root;
  while (skipBlanks(cursor)) {
    const start = cursor.at;
    if (text[start] === "[") table = scanHeader(cursor, root);
    else scanAssignment(cursor, table);
    // Cannot happen in valid text: keeps the promise to end.
    if (cursor.at === start) cursor.at++;
  }
  return root;
}

/**
 * The node at a path such as `["peer", 0, "address"]`, or undefined when the document does not have it.
 * A number counts in an array, a string names a key.
 */
export function findNode(root: TomlNode, path: readonly PropertyKey[]): TomlNode | undefined {
  let node: TomlNode | undefined = root;
  for (const step of path) {
    node = typeof step === "number" ? node?.items[step] : node?.children.get(String(step));
  }
  return node;
}

function createNode(range: TextRange): TomlNode {
  return { key: range, value: range, children: new Map(), items: [] };
}

/** `[a.b]` or `[[a.b]]`: returns the table that the lines below fill. */
function scanHeader(cursor: Cursor, root: TomlNode): TomlNode {
  const start = cursor.at;
  const brackets = cursor.text[start + 1] === "[" ? 2 : 1;
  cursor.at += brackets;
  const parts = scanKey(cursor);
  const last = parts.pop();
  cursor.at = Math.min(cursor.at + brackets, cursor.text.length);
  if (last === undefined) return root;

  const range = { start, end: cursor.at };
  let parent = root;
  for (const part of parts) parent = enterTable(parent, part);
  let node = parent.children.get(last.name);
  if (node === undefined) {
    node = createNode(last.range);
    parent.children.set(last.name, node);
  }
  if (brackets === 1) {
    // The header may come after a header of a table below it, which had made this node in passing.
    node.key = last.range;
    node.value = range;
    return node;
  }
  if (node.items.length === 0) node.value = range;
  const item = createNode(last.range);
  item.value = range;
  node.items.push(item);
  return item;
}

/** `key = value` or `a.b = value`, in the document or in an inline table. */
function scanAssignment(cursor: Cursor, table: TomlNode): void {
  const parts = scanKey(cursor);
  const last = parts.pop();
  if (cursor.text[cursor.at] === "=") cursor.at++;
  skipSpaces(cursor);
  const node = scanValue(cursor);
  if (last === undefined) return;
  let parent = table;
  for (const part of parts) parent = enterTable(parent, part);
  node.key = last.range;
  parent.children.set(last.name, node);
}

/** The table that a leading part of a dotted key names; of an array of tables, the newest. */
function enterTable(parent: TomlNode, part: KeyPart): TomlNode {
  let node = parent.children.get(part.name);
  if (node === undefined) {
    node = createNode(part.range);
    parent.children.set(part.name, node);
  }
  return node.items.at(-1) ?? node;
}

/** Reads a dotted key and the spaces around its parts; stops at what follows it. */
function scanKey(cursor: Cursor): KeyPart[] {
  const parts: KeyPart[] = [];
  for (;;) {
    skipSpaces(cursor);
    const start = cursor.at;
    const quoted = cursor.text[start] === '"' || cursor.text[start] === "'";
    if (quoted) skipString(cursor);
    else skipWhile(cursor, isBareKeyCharacter);
    if (cursor.at === start) return parts;
    const written = cursor.text.slice(start, cursor.at);
    parts.push({
      name: quoted ? unquoteKey(written) : written,
      range: { start, end: cursor.at },
    });
    skipSpaces(cursor);
    if (cursor.text[cursor.at] !== ".") return parts;
    cursor.at++;
  }
}

/** The parser itself unfolds the escapes, so that both agree about every key. */
function unquoteKey(written: string): string {
  try {
    return String(parse(`key = ${written}`)["key"]);
  } catch {
    // Only text that is not TOML comes here, and that has no positions anybody asks for.
    return written;
  }
}

function scanValue(cursor: Cursor): TomlNode {
  const start = cursor.at;
  const node = createNode({ start, end: start });
  const first = cursor.text[start];
  if (first === "[") scanArray(cursor, node);
  else if (first === "{") scanInlineTable(cursor, node);
  else if (first === '"' || first === "'") skipString(cursor);
  else skipScalar(cursor);
  node.value = { start, end: cursor.at };
  node.key = node.value;
  return node;
}

function scanArray(cursor: Cursor, node: TomlNode): void {
  cursor.at++;
  while (skipBlanks(cursor)) {
    const start = cursor.at;
    const next = cursor.text[start];
    if (next === "]" || next === ",") cursor.at++;
    if (next === "]") return;
    if (next !== ",") node.items.push(scanValue(cursor));
    if (cursor.at === start) cursor.at++;
  }
}

function scanInlineTable(cursor: Cursor, node: TomlNode): void {
  cursor.at++;
  while (skipBlanks(cursor)) {
    const start = cursor.at;
    const next = cursor.text[start];
    if (next === "}" || next === ",") cursor.at++;
    if (next === "}") return;
    if (next !== ",") scanAssignment(cursor, node);
    if (cursor.at === start) cursor.at++;
  }
}

/** Any of the four kinds of strings. A long one may end in up to two quotes of its own. */
function skipString(cursor: Cursor): void {
  const { text } = cursor;
  const quote = text[cursor.at]!;
  const long = text.startsWith(quote.repeat(3), cursor.at);
  const close = long ? quote.repeat(3) : quote;
  cursor.at += close.length;
  while (cursor.at < text.length && !text.startsWith(close, cursor.at)) {
    cursor.at += quote === '"' && text[cursor.at] === "\\" ? 2 : 1;
  }
  cursor.at = Math.min(cursor.at + close.length, text.length);
  for (let extra = 0; long && extra < 2 && text[cursor.at] === quote; extra++) cursor.at++;
}

/** A number, a boolean, a date (which may hold one space): up to what can follow a value. */
function skipScalar(cursor: Cursor): void {
  const start = cursor.at;
  skipWhile(cursor, (character) => !",]}#\r\n".includes(character));
  while (cursor.at > start && " \t".includes(cursor.text[cursor.at - 1]!)) cursor.at--;
}

/** Skips spaces, line ends and comments; false at the end of the text. */
function skipBlanks(cursor: Cursor): boolean {
  const { text } = cursor;
  for (;;) {
    skipWhile(cursor, (character) => " \t\r\n".includes(character));
    if (text[cursor.at] !== "#") return cursor.at < text.length;
    skipWhile(cursor, (character) => character !== "\n");
  }
}

function skipSpaces(cursor: Cursor): void {
  skipWhile(cursor, (character) => character === " " || character === "\t");
}

function skipWhile(cursor: Cursor, holds: (character: string) => boolean): void {
  while (cursor.at < cursor.text.length && holds(cursor.text[cursor.at]!)) cursor.at++;
}

function isBareKeyCharacter(character: string): boolean {
  return /[A-Za-z0-9_-]/.test(character);
}
