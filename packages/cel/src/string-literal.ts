/** String and bytes literals: quotes, prefixes and escapes. */
import { SyntaxMistake } from "./problem.ts";
import type { Token } from "./token.ts";

const simpleEscapes: Record<string, string> = {
  "\\": "\\",
  "?": "?",
  '"': '"',
  "'": "'",
  "`": "`",
  a: "\x07",
  b: "\b",
  f: "\f",
  n: "\n",
  r: "\r",
  t: "\t",
  v: "\v",
};

/** Digits that follow an escape, by its letter. */
const codeEscapes: Record<string, { digits: number; radix: number }> = {
  x: { digits: 2, radix: 16 },
  X: { digits: 2, radix: 16 },
  u: { digits: 4, radix: 16 },
  U: { digits: 8, radix: 16 },
};

const start = /([rR]?[bB]|[bB]?[rR]|)("""|'''|"|')/y;

/** The literal that begins at `offset`; undefined when none does. */
export function stringLiteral(text: string, offset: number): Token | undefined {
  start.lastIndex = offset;
  const match = start.exec(text);
  if (match === null) return undefined;
  const prefix = match[1]!.toLowerCase();
  const isBytes = prefix.includes("b");
  const quotes = match[2]!;
  const body = new Body(text, offset, start.lastIndex, quotes, isBytes, prefix.includes("r"));
  const end = body.read();
  const raw = text.slice(offset, end);
  return isBytes
    ? { kind: "bytes", offset, end, text: raw, value: Uint8Array.from(body.octets) }
    : { kind: "string", offset, end, text: raw, value: body.chars };
}

class Body {
  chars = "";
  readonly octets: number[] = [];
  private readonly text: string;
  private readonly begin: number;
  private readonly quotes: string;
  private readonly isBytes: boolean;
  private readonly isRaw: boolean;
  private at: number;

  constructor(
    text: string,
    begin: number,
    at: number,
    quotes: string,
    isBytes: boolean,
    isRaw: boolean,
  ) {
    this.text = text;
    this.begin = begin;
    this.at = at;
    this.quotes = quotes;
    this.isBytes = isBytes;
    this.isRaw = isRaw;
  }

  read(): number {
    for (;;) {
      if (this.text.startsWith(this.quotes, this.at)) return this.at + this.quotes.length;
      const char = this.text[this.at];
      if (char === undefined || (char === "\n" && this.quotes.length === 1)) {
        throw new SyntaxMistake(this.begin, `the string is not closed by ${this.quotes}`);
      }
      if (char === "\\" && !this.isRaw) this.escape();
      else this.plain();
    }
  }

  private plain(): void {
    const code = this.text.codePointAt(this.at)!;
    const char = String.fromCodePoint(code);
    this.at += char.length;
    if (this.isBytes) this.octets.push(...new TextEncoder().encode(char));
    else this.chars += char;
  }

  private escape(): void {
    const offset = this.at;
    const letter = this.text[offset + 1] ?? "";
    const simple = simpleEscapes[letter];
    if (simple !== undefined) {
      this.at += 2;
      this.add(simple.charCodeAt(0), offset, true);
      return;
    }
    const isOctal = letter >= "0" && letter <= "3";
    const form = isOctal ? { digits: 3, radix: 8 } : codeEscapes[letter];
    if (form === undefined) {
      throw new SyntaxMistake(offset, `unknown escape \\${letter}; a backslash is written \\\\`);
    }
    const first = offset + (isOctal ? 1 : 2);
    const digits = this.text.slice(first, first + form.digits);
    const pattern = form.radix === 8 ? /^[0-7]+$/ : /^[0-9a-fA-F]+$/;
    if (digits.length !== form.digits || !pattern.test(digits)) {
      const base = form.radix === 8 ? "octal" : "hexadecimal";
      throw new SyntaxMistake(offset, `\\${letter} is followed by ${form.digits} ${base} digits`);
    }
    this.at = first + form.digits;
    this.add(Number.parseInt(digits, form.radix), offset, letter !== "u" && letter !== "U");
  }

  private add(code: number, offset: number, isOctet: boolean): void {
    if (this.isBytes) {
      if (!isOctet) throw new SyntaxMistake(offset, "bytes have no \\u and \\U: use \\x");
      this.octets.push(code);
      return;
    }
    if (code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff)) {
      throw new SyntaxMistake(offset, "no Unicode character has this number");
    }
    this.chars += String.fromCodePoint(code);
  }
}
