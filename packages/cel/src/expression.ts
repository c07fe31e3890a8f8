/** The tree of an expression, as the parser makes it: names mean nothing yet. */

interface Node {
  /** Where problems with it are reported: an operator, a name, the start of a literal. */
  readonly offset: number;
  /** 1 for a leaf. */
  readonly depth: number;
}

export type LiteralType = "int" | "uint" | "double" | "string" | "bytes" | "bool" | "null";

export interface Literal extends Node {
  readonly kind: "literal";
  readonly type: LiteralType;
  readonly value: bigint | number | string | boolean | Uint8Array | null;
}

export interface Name extends Node {
  readonly kind: "name";
  readonly name: string;
}

export interface Select extends Node {
  readonly kind: "select";
  readonly operand: Expression;
  readonly field: string;
}

export interface Index extends Node {
  readonly kind: "index";
  readonly operand: Expression;
  readonly index: Expression;
}

export interface List extends Node {
  readonly kind: "list";
  readonly elements: readonly Expression[];
}

export interface Unary extends Node {
  readonly kind: "unary";
  readonly operator: "!" | "-";
  readonly operand: Expression;
}

export type ArithmeticOperator = "+" | "-" | "*" | "/" | "%";
export type ComparisonOperator = "==" | "!=" | "<" | "<=" | ">" | ">=";

export interface Binary extends Node {
  readonly kind: "binary";
  readonly operator: ArithmeticOperator | ComparisonOperator | "in";
  readonly left: Expression;
  readonly right: Expression;
}

/** Chains of the same operator are one node, so that a long list of alternatives is not deep. */
export interface Logic extends Node {
  readonly kind: "logic";
  readonly operator: "&&" | "||";
  readonly operands: readonly Expression[];
}

export interface Condition extends Node {
  readonly kind: "condition";
  readonly test: Expression;
  readonly yes: Expression;
  readonly no: Expression;
}

/** A function, a method of `target`, or a macro. */
export interface Call extends Node {
  readonly kind: "call";
  readonly name: string;
  readonly target: Expression | null;
  readonly args: readonly Expression[];
}

export type Expression =
  | Literal
  | Name
  | Select
  | Index
  | List
  | Unary
  | Binary
  | Logic
  | Condition
  | Call;
