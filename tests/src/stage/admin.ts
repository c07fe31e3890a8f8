/** Questions to the admin socket of a daemon, and changes by it. */
import { request } from "node:http";
import { join } from "node:path";
import type {
  AdminAnswers,
  AdminPath,
  AdminPostPath,
  AdminPosts,
  AdminRefusal,
} from "@koala/protocol";

const deadlineMs = 60_000;

/** Asks, and rejects with an `AdminError` for every answer that is not 200; `query` is `?…` or empty. */
export async function askAdmin<Path extends AdminPath>(
  prefix: string,
  path: Path,
  query = "",
): Promise<AdminAnswers[Path]> {
  return (await exchange(prefix, "GET", `${path}${query}`, undefined)) as AdminAnswers[Path];
}

/** Has something done, and rejects with an `AdminError` when it is refused. */
export async function postAdmin<Path extends AdminPostPath>(
  prefix: string,
  path: Path,
  body: AdminPosts[Path]["request"],
): Promise<AdminPosts[Path]["answer"]> {
  return (await exchange(prefix, "POST", path, body)) as AdminPosts[Path]["answer"];
}

/** What the daemon refused. */
export class AdminError extends Error {
  readonly status: number;
  readonly code: string;

  constructor(what: string, status: number, { code, message }: AdminRefusal) {
    super(`${what}: ${status} ${code}: ${message}`);
    this.status = status;
    this.code = code;
  }
}

function exchange(
  prefix: string,
  method: string,
  path: string,
  body: object | undefined,
): Promise<unknown> {
  return new Promise((resolve, reject) => {
    const signal = AbortSignal.timeout(deadlineMs);
    const socketPath = join(prefix, "admin.sock");
    const asked = request({ socketPath, path, method, signal, agent: false }, (response) => {
      let text = "";
      response.setEncoding("utf8");
      response.on("data", (chunk: string) => {
        text += chunk;
      });
      response.on("error", reject);
      response.on("end", () => {
        const { statusCode: status = 0 } = response;
        if (status === 200) resolve(JSON.parse(text));
        else reject(new AdminError(`${method} ${path}`, status, JSON.parse(text) as AdminRefusal));
      });
    });
    asked.on("error", reject);
    asked.end(body === undefined ? undefined : JSON.stringify(body));
  });
}
