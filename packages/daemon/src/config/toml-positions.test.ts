/**
 * Plan of the generated part:
 * 1. Generate a valid document out of every construct TOML has, in random layout.
 * 2. Parse it with the library, which knows nothing of positions.
 * 3. For each key and value of the result cut the text at the position that the scanner gives, and parse
 *    the cut again: it must be that key and that value. The scanner must know no other keys.
 */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { parse, TomlDate } from "smol-toml";
import { findNode, scanToml, type TextRange, type TomlNode } from "./toml-positions.ts";

function cut(text: string, range: TextRange | undefined): string {
  assert.ok(range, "no such node");
  return text.slice(range.start, range.end);
}

describe("scanToml", () => {
  const text = [
    "# comment with = and [brackets]",
    "top = 1 # one",
    "[a.b]",
    '\'quoted key\'."x\\u0041" = """',
    "[not.a.table]",
    'quote \\""""""',
    "[a]",
    "list = [ # ]",
    "  1, [2, 3],",
    "  { k = '}', n.m = 1979-05-27 07:32:00 },",
    "]",
    "[[peer]]",
    'address = "one"',
    "[[ peer ]]",
    'address = "two"',
    "[peer.extra]",
    "deep = true",
  ].join("\r\n");
  const root = scanToml(text);

  it("finds keys and values", () => {
    parse(text);
    const value = (...path: PropertyKey[]): string => cut(text, findNode(root, path)?.value);
    const key = (...path: PropertyKey[]): string => cut(text, findNode(root, path)?.key);
    assert.equal(value("top"), "1");
    assert.equal(key("a", "b", "quoted key", "xA"), '"x\\u0041"');
    assert.match(value("a", "b", "quoted key", "xA"), /^"""\r\n\[not[\s\S]*\\""""""$/);
    assert.equal(value("a"), "[a]");
    assert.equal(value("a", "b"), "[a.b]");
    assert.equal(value("a", "list", 1, 1), "3");
    assert.equal(value("a", "list", 2, "k"), "'}'");
    assert.equal(value("a", "list", 2, "n", "m"), "1979-05-27 07:32:00");
    assert.equal(value("peer", 0, "address"), '"one"');
    assert.equal(value("peer", 1), "[[ peer ]]");
    assert.equal(value("peer", 1, "address"), '"two"');
    assert.equal(value("peer", 1, "extra", "deep"), "true");
    assert.equal(findNode(root, ["peer", 0, "extra"]), undefined);
    assert.equal(findNode(root, ["peer", 2]), undefined);
    assert.equal(findNode(root, ["a", "constructor"]), undefined);
  });

  it("agrees with the parser on generated documents", () => {
    fc.assert(
      fc.property(documents, (text) => {
        compareTable(text, scanToml(text), parse(text, { integersAsBigInt: true }));
      }),
      { numRuns: 500 },
    );
  });

  it("ends on text that is not TOML", () => {
    const signs = fc.constantFrom(..."[]{}\"'=.,#\\ \n\ra1", '"""', "'''", "[[", "]]");
    fc.assert(
      fc.property(fc.array(signs, { maxLength: 60 }), (parts) => {
        scanToml(parts.join(""));
      }),
      { numRuns: 1000 },
    );
  });
});

type Table = Record<string, unknown>;

function compareTable(text: string, node: TomlNode, table: Table): void {
  assert.deepEqual([...node.children.keys()].sort(), Object.keys(table).sort());
  for (const [name, value] of Object.entries(table)) {
    const child = node.children.get(name)!;
    assert.deepEqual(Object.keys(parse(`${cut(text, child.key)} = 1`)), [name]);
    compareValue(text, child, value);
  }
}

function compareValue(text: string, node: TomlNode, value: unknown): void {
  const written = cut(text, node.value);
  const isTable =
    typeof value === "object" && !Array.isArray(value) && !(value instanceof TomlDate);
  const items = Array.isArray(value) ? value : [];
  // An array of tables has its position where its first table begins; a literal array never has.
  const ofTables = items.length > 0 && node.items[0]?.value.start === node.value.start;
  if (ofTables) {
    assert.match(written, /^\[\[[\s\S]*\]\]$/);
  } else if (!isTable || written.startsWith("{")) {
    assert.deepEqual(parse(`x = ${written}`, { integersAsBigInt: true })["x"], value);
  }
  assert.equal(node.items.length, items.length);
  for (const [index, item] of items.entries()) compareValue(text, node.items[index]!, item);
  if (isTable) compareTable(text, node, value as Table);
}

const space = fc.constantFrom("", " ", "\t ");
const gap = fc.constantFrom("", " ", "\n", "\r\n  ", ' # ] } \' """ = [x]\n', "\n\n\t");
const lineEnd = fc.constantFrom("\n", "\r\n", " # a = 'b\n", "\n\n  # [c]\n");

const bareName = fc.stringMatching(/^[A-Za-z0-9_-]{1,6}$/);
const anyText = fc.string({ unit: "binary", maxLength: 8 });
const basicString = anyText.map((text) => JSON.stringify(text).replaceAll("\u007f", "\\u007f"));
const literalString = fc.stringMatching(/^[ -&(-~é]{0,8}$/).map((text) => `'${text}'`);
const longBasic = fc
  .array(
    fc.constantFrom(
      "a",
      " ",
      "#",
      "'",
      "\n",
      "\r\n",
      '\\"',
      "\\\\",
      '"x',
      '""x',
      "]",
      "=",
      "\\u00e9",
    ),
  )
  .chain((parts) => fc.constantFrom("", '"', '""').map((tail) => `"""${parts.join("")}${tail}"""`));
const longLiteral = fc
  .array(fc.constantFrom("a", "#", '"', "\n", "\\", "'x", "''x", "]", "="))
  .chain((parts) => fc.constantFrom("", "'", "''").map((tail) => `'''${parts.join("")}${tail}'''`));
const scalar = fc.oneof(
  basicString,
  literalString,
  longBasic,
  longLiteral,
  fc.constantFrom("0", "-17", "1_000", "0xff", "1.5e3", "inf", "-nan", "true", "false"),
  fc.constantFrom("1979-05-27", "1979-05-27T07:32:00Z", "1979-05-27 07:32:00.5", "07:32:00"),
);

/** A dotted key whose first part is unlike any other in its table, so that nothing is defined twice. */
function keyWith(first: string): fc.Arbitrary<string> {
  const part = fc.oneof(bareName, basicString, literalString);
  return fc
    .tuple(
      fc.constantFrom(first, `"${first}"`, `'${first}'`),
      fc.array(part, { maxLength: 2 }),
      space,
    )
    .map(([head, rest, around]) => [head, ...rest].join(`${around}.${around}`));
}

function assignments(value: fc.Arbitrary<string>, prefix: string): fc.Arbitrary<string[]> {
  return fc.array(fc.tuple(value, space), { maxLength: 4 }).chain((entries) => {
    const lines = entries.map(([text, around], index) =>
      keyWith(`${prefix}${index}`).map((key) => `${key}${around}=${around}${text}`),
    );
    return fc.tuple(...lines);
  });
}

const values = fc.letrec<{ value: string; array: string; inline: string }>((tie) => ({
  value: fc.oneof({ maxDepth: 3, withCrossShrink: true }, scalar, tie("array"), tie("inline")),
  array: fc
    .tuple(fc.array(tie("value"), { maxLength: 4 }), gap, fc.boolean())
    .map(([items, between, trailing]) => {
      const end = trailing && items.length > 0 ? `,${between}` : between;
      return `[${between}${items.join(`${between},${between}`)}${end}]`;
    }),
  inline: fc
    .tuple(assignments(tie("value"), "i"), space)
    .map(([entries, around]) => `{${around}${entries.join(`${around},${around}`)}${around}}`),
}));

const section = fc.tuple(
  fc.constantFrom("table", "tables", "below"),
  space,
  fc.array(assignments(values.value, "k"), { minLength: 1, maxLength: 3 }),
);

const documents = fc
  .tuple(
    fc.boolean(),
    gap,
    assignments(values.value, "t"),
    fc.array(section, { maxLength: 4 }),
    lineEnd,
    fc.boolean(),
  )
  .map(([bom, lead, top, sections, end, ended]) => {
    const lines = [...top];
    for (const [index, [kind, around, bodies]] of sections.entries()) {
      const name = `${around}s${index}${around}`;
      if (kind === "tables") {
        for (const body of bodies)
          lines.push(`[[${name}]]`, ...body, `[${name}.'b elow']`, "x = 1");
      } else if (kind === "below") {
        lines.push(`[${name}."in\\u0020 ner"]`, ...bodies[0]!, `[${name}]`, ...bodies.at(-1)!);
      } else {
        lines.push(`[${name}]`, ...bodies[0]!);
      }
    }
    return `${bom ? "\uFEFF" : ""}${lead}${lines.join(end)}${ended ? end : ""}`;
  });
