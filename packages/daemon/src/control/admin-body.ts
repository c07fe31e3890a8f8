/** The JSON body of a request: read within a limit, checked strictly, and what is wrong with it in words. */
import type { IncomingMessage } from "node:http";
import { messageOf } from "@koala/interface";
import { z } from "zod";

/** Larger bodies are refused: a configuration with all its rules is far smaller. */
export const bodyBytesMax: number = 4 * 1024 * 1024;

/** Reads the body of a request; undefined when it is larger than `bodyBytesMax`. Rejects when the peer goes away. */
export async function readBody(request: IncomingMessage): Promise<Buffer | undefined> {
  if (Number(request.headers["content-length"] ?? "0") > bodyBytesMax) return undefined;
  const chunks: Buffer[] = [];
  let bytes = 0;
  // Without an end to the socket: the refusal has to get through.
  for await (const chunk of request.iterator({ destroyOnReturn: false })) {
    if (!Buffer.isBuffer(chunk)) continue; // a request without an encoding gives nothing else
    bytes += chunk.length;
    if (bytes > bodyBytesMax) return undefined;
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

/** The value that a schema makes of a body, or what is wrong with it. No body is `{}`. */
export function bodyProblem<Body>(
  schema: z.ZodType<Body>,
  bytes: Buffer,
): { value: Body; problem?: undefined } | { value?: undefined; problem: string } {
  let value: unknown = {};
  if (bytes.length > 0) {
    try {
      value = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
    } catch (error) {
      return { problem: `the body is not JSON: ${messageOf(error)}` };
    }
  }
  const result = schema.safeParse(value);
  if (result.success) return { value: result.data };
  const problems = result.error.issues.map(({ path, message }) => {
    const where = z.core.toDotPath(path);
    return where === "" ? message : `${where}: ${message}`;
  });
  return { problem: `the body is wrong: ${problems.join("; ")}` };
}

/** Text of a stranger inside a message for a person. */
export function printable(text: string): string {
  const quoted = JSON.stringify(text.length > 200 ? `${text.slice(0, 200)}…` : text);
  return quoted.replace(/[\u007f-\u009f\u2028\u2029]/g, "?");
}
