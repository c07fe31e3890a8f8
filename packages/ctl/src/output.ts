/** Where results go, and how they look: tables for people, one line of JSON for programs. */
import { KoalaError, messageOf } from "@koala/interface";
import { isRpcError } from "@koala/mrpc/rpc-error";
import { type Column, formatTable, type Paint, paintFor, printable } from "./table.ts";

export type Format = "table" | "json";

/** A stream that text goes to. */
export interface Sink {
  write(text: string): unknown;
  readonly isTTY?: boolean | undefined;
  /** Lines of the terminal. */
  readonly rows?: number | undefined;
}

/** A terminal that a command may write to as it likes. */
export interface Screen {
  write(text: string): void;
  /** Lines that it has now. */
  rows(): number;
}

/** What a run of koalactl has around it. */
export interface Surroundings {
  stdout: Sink;
  stderr: Sink;
  env: NodeJS.ProcessEnv;
  /** Raised when the user wants a long command to end; default: by the signals of the process. */
  interrupted?: AbortSignal;
}

/** The output of one command. */
export class Output {
  readonly format: Format;
  readonly paint: Paint;
  private readonly stdout: Sink;
  private readonly stderr: Sink;

  constructor(format: Format, { stdout, stderr, env }: Surroundings) {
    this.format = format;
    this.stdout = stdout;
    this.stderr = stderr;
    this.paint = paintFor(stdout.isTTY === true, env);
  }

  /** The terminal; undefined when there is none, or JSON is wanted. */
  get screen(): Screen | undefined {
    const { stdout, format } = this;
    if (stdout.isTTY !== true || format === "json") return undefined;
    return { write: (text) => void stdout.write(text), rows: () => stdout.rows ?? 24 };
  }

  /** A line of the result. */
  line(text: string): void {
    this.stdout.write(`${text}\n`);
  }

  /** The result for programs. */
  json(value: unknown): void {
    this.line(JSON.stringify(value));
  }

  /** What is good to know and not the result. */
  note(text: string): void {
    this.stderr.write(`${printable(text)}\n`);
  }

  /** A list: `answer` for programs, its rows for people, `empty` when there are none. */
  list<Row>(
    answer: object,
    rows: readonly Row[],
    columns: readonly Column<Row>[],
    empty: string,
  ): void {
    if (this.format === "json") this.json(answer);
    else if (rows.length === 0) this.note(empty);
    else for (const line of formatTable(columns, rows, this.paint)) this.line(line);
  }

  /** Why the command failed. */
  failure(error: unknown): void {
    if (this.format === "json") this.stderr.write(`${JSON.stringify({ error: factsOf(error) })}\n`);
    else for (const line of textOf(error)) this.note(line);
  }
}

interface Facts {
  code: string;
  message: string;
  status?: string;
  origin?: string;
  retryable?: boolean;
}

function factsOf(error: unknown): Facts {
  if (isRpcError(error)) {
    const { code, reason: message, statusName: status, origin, retryable } = error;
    return { code, message, status, origin, retryable };
  }
  const code = error instanceof KoalaError ? error.code : "ERR_BUG";
  return { code, message: messageOf(error) };
}

function textOf(error: unknown): string[] {
  if (isRpcError(error)) {
    return [`${error.statusName}  from ${error.origin}`, `  ${error.reason}`];
  }
  if (error instanceof KoalaError) {
    // Problems of a configuration come with the lines of the file that they are in. Further lines are
    // indented, so that no text of a stranger looks like a line of koalactl's own.
    const [first = "", ...others] = error.message.split("\n");
    return [`koalactl: ${first}`, ...others.map((line) => (line === "" ? "" : `  ${line}`))];
  }
  // Not foreseen: the stack is what a report of the bug needs.
  const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
  return ["koalactl: this is a bug, please report it:", ...text.split("\n")];
}
