/** Daemons whose runtimes can be made to fail, see programs/crash-runtime.ts. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { type Ending, until } from "@koala/testing";
import { askAdmin } from "./admin.ts";
import { createFolder, type Daemon, type DaemonOptions, startDaemon } from "./cluster.ts";

const preload = new URL("../programs/crash-runtime.js", import.meta.url).href;

/** A daemon, and what makes its runtimes fail. */
export interface FragileDaemon extends Daemon {
  /** Makes a runtime fail once, and waits until it serves again. */
  crash(runtime: number): Promise<void>;
  /** Makes a runtime fail whenever it gets an app. */
  crashAlways(runtime: number): void;
}

/** Starts one. */
export async function startFragile(
  test: Ending,
  options: DaemonOptions = {},
): Promise<FragileDaemon> {
  const file = join(createFolder(test), "crash");
  const env = { ...options.env, NODE_OPTIONS: `--import=${preload}`, KOALA_TEST_CRASH: file };
  const daemon = await startDaemon(test, { ...options, env });
  return {
    ...daemon,
    crash: async (runtime) => {
      const { restarts } = await runtimeOf(daemon, runtime);
      writeFileSync(file, String(runtime));
      // Any question is a command to all runtimes; the one that fails can't answer it.
      await daemon.status().catch(() => {});
      await until(`runtime ${runtime} runs again`, async () => {
        const now = await runtimeOf(daemon, runtime);
        return now.restarts > restarts && now.state === "running";
      });
    },
    crashAlways: (runtime) => writeFileSync(file, `${runtime} always`),
  };
}

/** What the daemon says of one of its runtimes. */
export async function runtimeOf(
  { prefix }: Pick<Daemon, "prefix">,
  index: number,
): Promise<Awaited<ReturnType<typeof askRuntimes>>["runtimes"][number]> {
  const { runtimes } = await askRuntimes(prefix);
  const found = runtimes.find((runtime) => runtime.index === index);
  if (found === undefined) throw new Error(`no runtime ${index}`);
  return found;
}

/** `GET /v1/runtimes`. */
export function askRuntimes(prefix: string): ReturnType<typeof askAdmin<"/v1/runtimes">> {
  return askAdmin(prefix, "/v1/runtimes");
}
