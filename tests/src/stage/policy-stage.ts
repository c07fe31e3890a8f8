/** A kitchen behind a daemon whose policies a test changes: files of code, koala.toml, the admin socket. */
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Client } from "@koala/mrpc";
import type { ChangeAnswer, PolicyStatus } from "@koala/protocol";
import type { Ending } from "@koala/testing";
import { Kitchen } from "../gen/test/v1/kitchen_pb.ts";
import { askAdmin, postAdmin } from "./admin.ts";
import { createFolder, type Daemon, startDaemon } from "./cluster.ts";
import { connectTo, startKitchen } from "./kitchen.ts";

export interface PolicyStage {
  readonly daemon: Daemon;
  readonly kitchen: Client<typeof Kitchen>;
  /** The file of the daemon's configuration. */
  readonly configPath: string;
  /** Writes a file into the folder that code may be loaded from; returns its path. */
  write(name: string, text: string): string;
  /** Puts this behind what koala.toml said at the start. */
  configure(text: string): void;
  post: typeof postAdmin extends (prefix: string, ...rest: infer Rest) => unknown
    ? (...rest: Rest) => Promise<ChangeAnswer>
    : never;
  policies(): Promise<PolicyStatus[]>;
}

/** Where code may be loaded from: `policies` in the daemon's folder. */
export const modulesConfig = '[modules]\ndirectories = ["policies"]\n';

/** Starts a daemon, a kitchen that serves and a client. `files` are there before the daemon starts. */
export async function startPolicyStage(
  test: Ending,
  options: { config?: string; runtimes?: number; files?: Readonly<Record<string, string>> } = {},
): Promise<PolicyStage> {
  const { config = "", runtimes = 1, files = {} } = options;
  const prefix = createFolder(test);
  const folder = join(prefix, "policies");
  mkdirSync(folder);
  const write = (name: string, text: string): string => {
    const path = join(folder, name);
    writeFileSync(path, text);
    return path;
  };
  for (const [name, text] of Object.entries(files)) write(name, text);
  const daemon = await startDaemon(test, {
    prefix,
    config: `${modulesConfig}${config}`,
    daemonKeys: `runtimes = ${runtimes}`,
  });
  await startKitchen(test, daemon);
  const mesh = await connectTo(test, daemon);
  const configPath = join(prefix, "koala.toml");
  const begin = readFileSync(configPath, "utf8");
  return {
    daemon,
    kitchen: mesh.client(Kitchen, "kitchen"),
    configPath,
    write,
    configure: (text) => writeFileSync(configPath, `${begin}\n${text}`),
    post: ((path: "/v1/policies/attach", body: object) =>
      postAdmin(prefix, path, body as never)) as PolicyStage["post"],
    policies: async () => (await askAdmin(prefix, "/v1/policies")).policies,
  };
}

/**
 * A policy that counts what it sees, and denies when its configuration says so. `more` are further
 * members of its definition, which win.
 */
export function countingPolicy(version: string, more = ""): string {
  return `import { definePolicy, Status, z } from "@koala/policy";

interface Config { readonly deny: boolean }
interface State { seen: number }

export default definePolicy<Config, State>({
  name: "count",
  version: "${version}",
  config: z.strictObject({ deny: z.boolean().default(false) }),
  counters: ["seen"],
  start: () => ({ seen: 0 }),
  onRequest(call, ctx) {
    ctx.state.seen++;
    ctx.counters["seen"] = ctx.state.seen;
    if (ctx.config.deny) return call.deny(Status.PERMISSION_DENIED, "version ${version}", "all");
  },
  export: (ctx) => ctx.state,
  import: (saved) => saved as State,
  ${more}
});
`;
}
