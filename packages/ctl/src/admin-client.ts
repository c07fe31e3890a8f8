/** Asks the daemon over its admin socket: one request, one connection, one answer. */
import { type IncomingHttpHeaders, type IncomingMessage, request } from "node:http";
import { join } from "node:path";
import { KoalaError, messageOf } from "@koala/interface";
import {
  ADMIN_SOCKET,
  type AdminAnswers,
  type AdminPath,
  type AdminPostPath,
  type AdminPosts,
} from "@koala/protocol";

const askMs = 5000;
/** A change may load code, wait for quiet moments, or start a daemon. */
const postMs = 180_000;
const answerBytesMax = 256 * 1024 * 1024;

/** Parameters behind a path. */
export type Query = Readonly<Record<string, string>>;

/**
 * The answer to `path`, with `query` behind it.
 *
 * @throws KoalaError `ERR_CTL_NO_DAEMON`, `ERR_CTL_SOCKET` (no permission, no answer), `ERR_CTL_ANSWER`
 * (what answers is no daemon of this version), or the daemon's own code when it refuses.
 */
export async function askAdmin<Path extends AdminPath>(
  prefix: string,
  path: Path,
  query: Query = {},
): Promise<AdminAnswers[Path]> {
  return (await exchange({
    method: "GET",
    prefix,
    path,
    query,
    limitMs: askMs,
  })) as AdminAnswers[Path];
}

/** Has something done; throws as `askAdmin` does. */
export async function postAdmin<Path extends AdminPostPath>(
  prefix: string,
  path: Path,
  body: AdminPosts[Path]["request"],
): Promise<AdminPosts[Path]["answer"]> {
  const asked: Question = { method: "POST", prefix, path, query: {}, body, limitMs: postMs };
  return (await exchange(asked)) as AdminPosts[Path]["answer"];
}

/**
 * The lines of a stream until the daemon ends it or `signal` is raised, which is no error.
 *
 * @throws KoalaError as `askAdmin`; `ERR_CTL_CUT` when the connection breaks
 */
export async function* followAdmin(
  prefix: string,
  path: AdminPath,
  query: Query,
  signal?: AbortSignal,
  onOpen?: (headers: IncomingHttpHeaders) => void,
): AsyncGenerator<Record<string, unknown>> {
  const question: Question = { method: "GET", prefix, path, query, limitMs: askMs };
  let response: IncomingMessage;
  try {
    response = await open(question, signal);
  } catch (error) {
    if (signal?.aborted === true) return;
    throw error;
  }
  if (response.statusCode !== 200) throw refused(question, response, await textOf(response));
  onOpen?.(response.headers);
  let rest = "";
  try {
    response.setEncoding("utf8");
    for await (const chunk of response) {
      const lines = (rest + String(chunk)).split("\n");
      rest = lines.pop() ?? "";
      for (const line of lines) {
        const value = parse(line);
        if (value === undefined) throw strange(question, "a line that is not JSON");
        yield value;
      }
    }
  } catch (cause) {
    if (signal?.aborted === true) return;
    if (cause instanceof KoalaError) throw cause;
    const text = `the daemon at ${socketOf(prefix)} is gone: ${messageOf(cause)}`;
    throw new KoalaError("ERR_CTL_CUT", text, { cause });
  }
}

interface Question {
  readonly method: "GET" | "POST";
  readonly prefix: string;
  readonly path: string;
  readonly query: Query;
  readonly body?: object;
  readonly limitMs: number;
}

async function exchange(question: Question): Promise<object> {
  const stop = AbortSignal.timeout(question.limitMs);
  const response = await open(question, stop);
  let text: string;
  try {
    text = await textOf(response);
  } catch (error) {
    throw connectError(question, error);
  }
  const body = parse(text);
  if (response.statusCode !== 200) throw refused(question, response, text);
  if (body !== undefined) return body;
  throw strange(question, `status ${response.statusCode}, which is not JSON`);
}

/** Sends the request; resolves with the beginning of the answer. */
function open(question: Question, signal: AbortSignal | undefined): Promise<IncomingMessage> {
  const { method, prefix, path, query, body } = question;
  const search = new URLSearchParams(query).toString();
  const text = body === undefined ? "" : JSON.stringify(body);
  return new Promise((resolve, reject) => {
    const asked = request(
      {
        socketPath: socketOf(prefix),
        path: `${path}${search && `?${search}`}`,
        method,
        agent: false,
        ...(signal === undefined ? {} : { signal }),
        ...(body === undefined
          ? {}
          : {
              headers: {
                "content-type": "application/json",
                "content-length": Buffer.byteLength(text),
              },
            }),
      },
      resolve,
    );
    asked.on("error", (error) => reject(connectError(question, error)));
    asked.end(text);
  });
}

async function textOf(response: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of response) {
    if (!Buffer.isBuffer(chunk)) continue; // without an encoding there is nothing else
    chunks.push(chunk);
    bytes += chunk.length;
    if (bytes > answerBytesMax) throw new Error(`more than ${answerBytesMax} bytes`);
  }
  return Buffer.concat(chunks).toString();
}

function refused(question: Question, { statusCode }: IncomingMessage, text: string): KoalaError {
  const { code, message } = parse(text) ?? {};
  if (typeof code === "string" && typeof message === "string") return new KoalaError(code, message);
  return strange(question, `status ${statusCode} without a reason`);
}

function parse(text: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null ? { ...value } : undefined;
  } catch {
    return undefined; // the caller says what came instead
  }
}

function socketOf(prefix: string): string {
  return join(prefix, ADMIN_SOCKET);
}

function connectError({ prefix, limitMs }: Question, cause: unknown): KoalaError {
  const socketPath = socketOf(prefix);
  const code = cause instanceof Error && "code" in cause ? cause.code : undefined;
  if (code === "ENOENT" || code === "ECONNREFUSED" || code === "ENOTDIR") {
    const text = `no daemon at ${socketPath}: start it with \`koalad --prefix ${prefix}\`, or give the prefix of one that runs (--prefix, KOALA_PREFIX)`;
    return new KoalaError("ERR_CTL_NO_DAEMON", text, { cause });
  }
  if (code === "EACCES") {
    const text = `${socketPath} is not for this user: ask as root or as the user of the daemon`;
    return new KoalaError("ERR_CTL_SOCKET", text, { cause });
  }
  const isLate = cause instanceof Error && cause.name === "AbortError";
  const reason = isLate ? `no answer within ${limitMs} ms` : messageOf(cause);
  return new KoalaError("ERR_CTL_SOCKET", `the daemon at ${socketPath}: ${reason}`, { cause });
}

function strange({ prefix, path }: Question, what: string): KoalaError {
  const text = `${socketOf(prefix)} answered ${path} with ${what}; use a daemon and a koalactl of one release`;
  return new KoalaError("ERR_CTL_ANSWER", text);
}
