/** Splits an expression into tokens. */
import { SyntaxMistake } from "./problem.ts";
import { stringLiteral } from "./string-literal.ts";
import type { Token, TokenKind } from "./token.ts";

const blank = /(?:[ \t\r\n\f]|\/\/[^\n]*)+/y;
const name = /[A-Za-z_][A-Za-z0-9_]*/y;
const double = /(?:[0-9]*\.[0-9]+(?:[eE][+-]?[0-9]+)?|[0-9]+[eE][+-]?[0-9]+)/y;
const integer = /(?:0[xX][0-9a-fA-F]+|[0-9]+)[uU]?/y;
const sign = /&&|\|\||==|!=|<=|>=|[<>!+\-*/%?:.,()[\]{}]/y;

const hints: Record<string, string> = {
  "=": "comparison is written ==",
  "&": "the logical and is written &&",
  "|": "the logical or is written ||",
};

const intMax = 2n ** 63n;
const uintMax = 2n ** 64n - 1n;

/** All tokens of a text; the last is of kind `end`. Throws `SyntaxMistake`. */
export function tokensOf(text: string): Token[] {
  const tokens: Token[] = [];
  let offset = skipBlanks(text, 0);
  while (offset < text.length) {
    const token = tokenAt(text, offset, tokens.at(-1));
    tokens.push(token);
    offset = skipBlanks(text, token.end);
  }
  tokens.push({ kind: "end", offset: text.length, end: text.length, text: "", value: null });
  return tokens;
}

function skipBlanks(text: string, offset: number): number {
  return offset + (at(blank, text, offset)?.length ?? 0);
}

function at(pattern: RegExp, text: string, offset: number): string | undefined {
  pattern.lastIndex = offset;
  return pattern.exec(text)?.[0];
}

function tokenAt(text: string, offset: number, previous: Token | undefined): Token {
  const token = stringLiteral(text, offset) ?? numberAt(text, offset, previous);
  if (token !== undefined) return token;
  const word = at(name, text, offset);
  if (word !== undefined) return make("name", offset, word, null);
  const operator = at(sign, text, offset);
  if (operator !== undefined) return make("sign", offset, operator, null);
  const char = String.fromCodePoint(text.codePointAt(offset)!);
  const hint = hints[char];
  throw new SyntaxMistake(offset, `unexpected ${quoted(char)}${hint ? `: ${hint}` : ""}`);
}

function numberAt(text: string, offset: number, previous: Token | undefined): Token | undefined {
  // `a.5` is no number after a name: what follows a dot there is a field.
  const isField = text[offset] === "." && previous !== undefined && endsOperand(previous);
  const real = isField ? undefined : at(double, text, offset);
  const whole = real === undefined ? at(integer, text, offset) : undefined;
  const found = real ?? whole;
  if (found === undefined) return undefined;
  const end = offset + found.length;
  if (at(name, text, end) !== undefined) {
    throw new SyntaxMistake(offset, "a number is followed by a letter");
  }
  if (real !== undefined) return make("double", offset, real, Number(real));
  if (!/[uU]$/.test(found)) {
    const value = BigInt(found);
    // 2^63 itself is right behind a minus: the parser looks.
    if (value > intMax) throw new SyntaxMistake(offset, "the number does not fit into 64 bits");
    return make("int", offset, found, value);
  }
  const value = BigInt(found.slice(0, -1));
  if (value > uintMax) throw new SyntaxMistake(offset, "the number does not fit into 64 bits");
  return make("uint", offset, found, value);
}

function endsOperand({ kind, text }: Token): boolean {
  return kind !== "sign" || text === ")" || text === "]";
}

function make(kind: TokenKind, offset: number, text: string, value: Token["value"]): Token {
  return { kind, offset, end: offset + text.length, text, value };
}

/** A piece of an expression in a message, cut when it is long. */
export function quoted(text: string): string {
  return JSON.stringify(text.length > 40 ? `${text.slice(0, 40)}…` : text);
}
