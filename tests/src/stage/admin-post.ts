/** Requests to the admin socket of a daemon that change something. */
import { request } from "node:http";
import { join } from "node:path";
import type { AdminPostPath, AdminPosts } from "@koala/protocol";

const deadlineMs = 60_000;

/** Asks for a change; rejects with what the daemon says for every answer that is not 200. */
export function postAdmin<Path extends AdminPostPath>(
  prefix: string,
  path: Path,
  body: AdminPosts[Path]["request"],
): Promise<AdminPosts[Path]["answer"]> {
  return new Promise((resolve, reject) => {
    const signal = AbortSignal.timeout(deadlineMs);
    const socketPath = join(prefix, "admin.sock");
    const asked = request({ socketPath, path, method: "POST", signal }, (response) => {
      let text = "";
      response.setEncoding("utf8");
      response.on("data", (chunk: string) => {
        text += chunk;
      });
      response.on("error", reject);
      response.on("end", () => {
        if (response.statusCode === 200) resolve(JSON.parse(text));
        else reject(new Error(`POST ${path}: ${response.statusCode} ${text}`));
      });
    });
    asked.on("error", reject);
    asked.end(JSON.stringify(body));
  });
}
