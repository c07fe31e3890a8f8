/** koalactl as an operator runs it. */
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";

/** The program. */
export const ctlProgram: string = fileURLToPath(
  new URL("../../../packages/ctl/dist/main.js", import.meta.url),
);

/** How a run ended. */
export interface CtlRun {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs koalactl to its end. */
export function runCtl(prefix: string, args: readonly string[]): Promise<CtlRun> {
  const options = { env: { ...process.env, NO_COLOR: "1" }, timeout: 60_000 };
  return new Promise((resolve, reject) => {
    execFile(
      process.execPath,
      [ctlProgram, "--prefix", prefix, ...args],
      options,
      (error, stdout, stderr) => {
        const code = error === null ? 0 : error.code;
        if (typeof code === "number") resolve({ code, stdout, stderr });
        else reject(error);
      },
    );
  });
}

/** The same with `-o json`, for commands that work. */
export async function ctlJson<Answer>(prefix: string, args: readonly string[]): Promise<Answer> {
  const { code, stdout, stderr } = await runCtl(prefix, ["-o", "json", ...args]);
  assert.deepEqual([code, stderr], [0, ""]);
  return JSON.parse(stdout) as Answer;
}
