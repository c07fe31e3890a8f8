/** The words of an expression. */
export type TokenKind = "int" | "uint" | "double" | "string" | "bytes" | "name" | "sign" | "end";

export interface Token {
  readonly kind: TokenKind;
  readonly offset: number;
  readonly end: number;
  /** As it is written. */
  readonly text: string;
  /** Of a literal. */
  readonly value: bigint | number | string | Uint8Array | null;
}
