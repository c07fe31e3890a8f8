/**
 * Text from untrusted places (names of apps, peers' messages) made safe to print. A line of the log
 * stays one line, and no value can drive a terminal or write something that looks like another record.
 */

/** Longer texts are cut: a record has a bound, whatever an app calls itself. */
export const textLengthMax = 4096;

/** Control characters, line separators, and the marks that turn the direction of text. */
const unsafe = /[\p{Cc}\u2028\u2029\u200e\u200f\u202a-\u202e\u2066-\u2069]|\p{Cs}/gu;
const plainValue = /^[^\s"'=\\]+$/u;

/** Cuts, and replaces what is not to be printed by its escape. */
export function printable(text: string): string {
  const cut = text.length > textLengthMax ? `${text.slice(0, textLengthMax)}…` : text;
  return cut.replace(unsafe, escapeOf);
}

/** A value for `key=value`: as it is when nothing in it could be misread, else in quotes. */
export function printableValue(text: string): string {
  const safe = printable(text);
  if (safe === text && plainValue.test(safe)) return safe;
  // Backslashes double only here, where quotes tell that the text is escaped.
  return `"${printable(text.replaceAll("\\", "\\\\").replaceAll('"', '\\"'))}"`;
}

function escapeOf(character: string): string {
  if (character === "\n") return "\\n";
  if (character === "\r") return "\\r";
  if (character === "\t") return "\\t";
  return `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`;
}
