/** Questions to the admin socket of a daemon. */
import { request } from "node:http";
import { join } from "node:path";
import type { AdminAnswers, AdminPath } from "@koala/protocol";

const deadlineMs = 10_000;

/** Asks, and rejects for every answer that is not 200. */
export function askAdmin<Path extends AdminPath>(
  prefix: string,
  path: Path,
): Promise<AdminAnswers[Path]> {
  return new Promise((resolve, reject) => {
    const signal = AbortSignal.timeout(deadlineMs);
    const asked = request({ socketPath: join(prefix, "admin.sock"), path, signal }, (response) => {
      let text = "";
      response.setEncoding("utf8");
      response.on("data", (chunk: string) => {
        text += chunk;
      });
      response.on("error", reject);
      response.on("end", () => {
        if (response.statusCode === 200) resolve(JSON.parse(text));
        else reject(new Error(`GET ${path}: ${response.statusCode} ${text}`));
      });
    });
    asked.on("error", reject);
    asked.end();
  });
}
