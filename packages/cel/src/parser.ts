/** From a text to the tree of an expression. */
import type { Binary, Expression, Literal } from "./expression.ts";
import { quoted, tokensOf } from "./lexer.ts";
import { depthMax, listLengthMax, nodesMax, textLengthMax } from "./limits.ts";
import { type Problem, problemAt, SyntaxMistake } from "./problem.ts";
import type { Token } from "./token.ts";

/** Words that CEL keeps for itself; they can be fields, but not variables. */
const reserved = new Set(
  (
    "as break const continue else false for function if import in let loop package namespace null " +
    "return true var void while"
  ).split(" "),
);

const comparisons = new Set(["==", "!=", "<", "<=", ">", ">="]);
const sums = new Set(["+", "-"]);
const products = new Set(["*", "/", "%"]);

/** The expression, or what is wrong with its syntax. Never throws. */
export function parse(text: string): Expression | Problem {
  if (text.length > textLengthMax) {
    const message = `the expression has ${text.length} characters, ${textLengthMax} at most`;
    return problemAt(text, textLengthMax, message);
  }
  try {
    return new Parser(tokensOf(text)).parse();
  } catch (error) {
    if (!(error instanceof SyntaxMistake)) throw error;
    return problemAt(text, error.offset, error.message);
  }
}

type WithoutDepth<T> = T extends Expression ? Omit<T, "depth"> : never;

class Parser {
  private readonly tokens: readonly Token[];
  private at = 0;
  private nodes = 0;
  private nesting = 0;

  constructor(tokens: readonly Token[]) {
    this.tokens = tokens;
  }

  parse(): Expression {
    const expression = this.condition();
    const { kind, text, offset } = this.token;
    if (kind !== "end") {
      throw new SyntaxMistake(
        offset,
        `unexpected ${quoted(text)} behind the end of the expression`,
      );
    }
    return expression;
  }

  private get token(): Token {
    return this.tokens[this.at]!;
  }

  private isSign(text: string): boolean {
    return this.token.kind === "sign" && this.token.text === text;
  }

  private accept(text: string): Token | undefined {
    if (!this.isSign(text)) return undefined;
    return this.tokens[this.at++];
  }

  private expect(text: string, where: string): void {
    if (this.accept(text) === undefined) this.unexpected(`${quoted(text)} ${where}`);
  }

  private unexpected(expected: string): never {
    const { kind, text, offset } = this.token;
    const found = kind === "end" ? "the expression ends" : `unexpected ${quoted(text)}`;
    throw new SyntaxMistake(offset, `${found}; expected ${expected}`);
  }

  private node(fields: WithoutDepth<Expression>, children: readonly Expression[]): Expression {
    let depth = 1;
    for (const child of children) depth = Math.max(depth, child.depth + 1);
    this.limit(depth, fields.offset);
    if (++this.nodes > nodesMax) {
      throw new SyntaxMistake(fields.offset, `the expression has more than ${nodesMax} parts`);
    }
    return { ...fields, depth } as Expression;
  }

  private limit(depth: number, offset: number): void {
    if (depth <= depthMax) return;
    throw new SyntaxMistake(offset, `the expression is nested deeper than ${depthMax}`);
  }

  /** `test ? yes : no`, and all that binds closer. */
  private condition(): Expression {
    this.limit(++this.nesting, this.token.offset);
    const test = this.logic("||", () => this.logic("&&", () => this.comparison()));
    const sign = this.accept("?");
    let result = test;
    if (sign !== undefined) {
      const yes = this.logic("||", () => this.logic("&&", () => this.comparison()));
      this.expect(":", "between the two values of a condition");
      const no = this.condition();
      result = this.node({ kind: "condition", offset: sign.offset, test, yes, no }, [
        test,
        yes,
        no,
      ]);
    }
    this.nesting--;
    return result;
  }

  private logic(operator: "&&" | "||", operand: () => Expression): Expression {
    const first = operand();
    let sign = this.accept(operator);
    if (sign === undefined) return first;
    const { offset } = sign;
    const operands = [first];
    while (sign !== undefined) {
      operands.push(operand());
      sign = this.accept(operator);
    }
    return this.node({ kind: "logic", offset, operator, operands }, operands);
  }

  private comparison(): Expression {
    return this.leftToRight(
      ({ kind, text }) => (kind === "sign" && comparisons.has(text)) || isIn(kind, text),
      () =>
        this.leftToRight(
          ({ kind, text }) => kind === "sign" && sums.has(text),
          () =>
            this.leftToRight(
              ({ kind, text }) => kind === "sign" && products.has(text),
              () => this.unary(),
            ),
        ),
    );
  }

  private leftToRight(
    isOperator: (token: Token) => boolean,
    operand: () => Expression,
  ): Expression {
    let left = operand();
    while (isOperator(this.token)) {
      const { offset, text } = this.tokens[this.at++]!;
      const right = operand();
      const operator = text as Binary["operator"];
      left = this.node({ kind: "binary", offset, operator, left, right }, [left, right]);
    }
    return left;
  }

  private unary(): Expression {
    const { offset, text } = this.token;
    if (!this.isSign("!") && !this.isSign("-")) return this.member();
    this.at++;
    const next = this.token;
    if (text === "-" && (next.kind === "int" || next.kind === "double")) {
      this.at++;
      const value = next.kind === "int" ? -(next.value as bigint) : -(next.value as number);
      return this.members(this.node({ kind: "literal", offset, type: next.kind, value }, []));
    }
    this.limit(++this.nesting, offset);
    const operand = this.unary();
    this.nesting--;
    return this.node({ kind: "unary", offset, operator: text as "!" | "-", operand }, [operand]);
  }

  private member(): Expression {
    return this.members(this.primary());
  }

  /** What can follow an operand: fields, indexes, methods. */
  private members(start: Expression): Expression {
    let operand = start;
    for (;;) {
      const sign = this.token;
      if (this.accept(".") !== undefined) {
        operand = this.fieldOrMethod(operand);
      } else if (this.accept("[") !== undefined) {
        const index = this.condition();
        this.expect("]", "behind an index");
        const { offset } = sign;
        operand = this.node({ kind: "index", offset, operand, index }, [operand, index]);
      } else if (this.isSign("{")) {
        throw new SyntaxMistake(sign.offset, "messages can't be made in an expression");
      } else {
        return operand;
      }
    }
  }

  private fieldOrMethod(operand: Expression): Expression {
    const { kind, offset, text } = this.token;
    if (kind !== "name") this.unexpected("the name of a field behind the dot");
    this.at++;
    if (this.accept("(") === undefined) {
      return this.node({ kind: "select", offset, operand, field: text }, [operand]);
    }
    const args = this.list(")", "arguments");
    const call = { kind: "call", offset, name: text, target: operand, args } as const;
    return this.node(call, [operand, ...args]);
  }

  private primary(): Expression {
    const { kind, offset, text, value } = this.token;
    if (kind === "name") return this.nameOrCall();
    if (kind !== "sign" && kind !== "end") {
      if (kind === "int" && value === 2n ** 63n) {
        throw new SyntaxMistake(offset, "the number does not fit into 64 bits");
      }
      this.at++;
      return this.node(
        { kind: "literal", offset, type: kind, value } as Omit<Literal, "depth">,
        [],
      );
    }
    if (this.accept("(") !== undefined) {
      const inner = this.condition();
      this.expect(")", "behind an expression in brackets");
      return inner;
    }
    if (this.accept("[") !== undefined) {
      const elements = this.list("]", "elements of a list");
      if (elements.length > listLengthMax) {
        throw new SyntaxMistake(offset, `the list has more than ${listLengthMax} elements`);
      }
      return this.node({ kind: "list", offset, elements }, elements);
    }
    if (this.isSign("{")) throw new SyntaxMistake(offset, "maps can't be made in an expression");
    // A leading dot says that a name is a full one; all names of types are.
    if (text === "." && this.tokens[this.at + 1]!.kind === "name") {
      this.at++;
      return this.nameOrCall();
    }
    this.unexpected("a value");
  }

  private nameOrCall(): Expression {
    const { offset, text } = this.token;
    this.at++;
    if (text === "true" || text === "false") {
      return this.node({ kind: "literal", offset, type: "bool", value: text === "true" }, []);
    }
    if (text === "null")
      return this.node({ kind: "literal", offset, type: "null", value: null }, []);
    if (reserved.has(text)) {
      throw new SyntaxMistake(offset, `${quoted(text)} is a reserved word; expected a value`);
    }
    if (this.accept("(") === undefined) return this.node({ kind: "name", offset, name: text }, []);
    const args = this.list(")", "arguments");
    return this.node({ kind: "call", offset, name: text, target: null, args }, args);
  }

  private list(close: string, what: string): Expression[] {
    const elements: Expression[] = [];
    while (!this.isSign(close)) {
      elements.push(this.condition());
      if (this.accept(",") === undefined) break;
    }
    this.expect(close, `behind the ${what}`);
    return elements;
  }
}

function isIn(kind: Token["kind"], text: string): boolean {
  return kind === "name" && text === "in";
}
