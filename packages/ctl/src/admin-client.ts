/** Asks the daemon over its admin socket: one request, one connection, one JSON object. */
import { request } from "node:http";
import { join } from "node:path";
import { KoalaError, messageOf } from "@koala/interface";
import { ADMIN_SOCKET, type AdminAnswers, type AdminPath } from "@koala/protocol";

const answerMs = 5000;
const answerBytesMax = 256 * 1024 * 1024;

/**
 * The answer to `path`, with `query` behind it.
 *
 * @throws KoalaError `ERR_CTL_NO_DAEMON`, `ERR_CTL_SOCKET` (no permission, no answer), `ERR_CTL_ANSWER`
 * (what answers is no daemon of this version), or the daemon's own code when it refuses.
 */
export async function askAdmin<Path extends AdminPath>(
  prefix: string,
  path: Path,
  query: Readonly<Record<string, string>> = {},
): Promise<AdminAnswers[Path]> {
  const socketPath = join(prefix, ADMIN_SOCKET);
  const search = new URLSearchParams(query).toString();
  const { status, text } = await get(socketPath, prefix, `${path}${search && `?${search}`}`);
  const body = parse(text);
  if (body === undefined) throw strange(socketPath, path, `status ${status}, which is not JSON`);
  if (status === 200) return body as AdminAnswers[Path];
  const { code, message } = body;
  if (typeof code === "string" && typeof message === "string") throw new KoalaError(code, message);
  throw strange(socketPath, path, `status ${status} without a reason`);
}

interface Answer {
  status: number;
  text: string;
}

function get(socketPath: string, prefix: string, target: string): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const fail = (error: unknown): void => reject(connectError(socketPath, prefix, error));
    const signal = AbortSignal.timeout(answerMs);
    const asked = request({ socketPath, path: target, agent: false, signal }, (response) => {
      const chunks: Buffer[] = [];
      let bytes = 0;
      response.on("data", (chunk: Buffer) => {
        chunks.push(chunk);
        bytes += chunk.length;
        if (bytes > answerBytesMax) asked.destroy(new Error(`more than ${answerBytesMax} bytes`));
      });
      response.on("error", fail);
      response.on("end", () =>
        resolve({ status: response.statusCode ?? 0, text: Buffer.concat(chunks).toString() }),
      );
    });
    asked.on("error", fail);
    asked.end();
  });
}

function parse(text: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null ? { ...value } : undefined;
  } catch {
    return undefined; // the caller says what came instead
  }
}

function connectError(socketPath: string, prefix: string, cause: unknown): KoalaError {
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
  const reason = isLate ? `no answer within ${answerMs} ms` : messageOf(cause);
  return new KoalaError("ERR_CTL_SOCKET", `the daemon at ${socketPath}: ${reason}`, { cause });
}

function strange(socketPath: string, path: string, what: string): KoalaError {
  const text = `${socketPath} answered ${path} with ${what}; use a daemon and a koalactl of one release`;
  return new KoalaError("ERR_CTL_ANSWER", text);
}
