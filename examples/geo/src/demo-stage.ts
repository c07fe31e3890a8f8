/**
 * The demo's machines: two hosts, each a daemon with its own directory and port, and the programs on them.
 * Everything that was started is stopped in the opposite order, whatever happened in between.
 */
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { DemoProcess } from "./demo-process.ts";

/** A cold start on a busy machine takes a while; only a hang takes longer. */
const startDeadlineMs = 20_000;

/** One daemon and its directory. */
export interface DemoHost {
  readonly prefix: string;
  /** Where its daemon takes links: `127.0.0.1:PORT`. */
  readonly address: string;
}

/** What the demo starts things on. */
export interface DemoStage {
  /** Starts a daemon that links to `peers`, and waits until it is ready. */
  startHost(name: string, peers: readonly DemoHost[]): Promise<DemoHost>;
  /** Starts a compiled program of this folder, on a host or on none. */
  startProgram(
    name: string,
    file: string,
    args: readonly string[],
    host: DemoHost | undefined,
  ): DemoProcess;
  /** The last lines of every program, newest program last. */
  tails(): string;
  /** Stops everything in order and removes the directory. Safe to call twice. */
  close(): Promise<void>;
}

/** Makes the directory that everything lives in. */
export async function createStage(): Promise<DemoStage> {
  const root = await mkdtemp(join(tmpdir(), "koala-geo-"));
  const processes: DemoProcess[] = [];
  let closed: Promise<void> | undefined;

  const start = (...args: ConstructorParameters<typeof DemoProcess>): DemoProcess => {
    if (closed !== undefined) throw new Error("the demo is being stopped");
    const started = new DemoProcess(...args);
    processes.push(started);
    return started;
  };
  const stopAll = async (): Promise<void> => {
    for (const each of processes.toReversed()) await each.stop();
    await rm(root, { recursive: true, force: true });
  };

  return {
    startHost: async (name, peers) => {
      const prefix = join(root, name);
      await mkdir(prefix);
      const config = join(prefix, "koala.toml");
      await writeFile(config, hostConfig(name, peers));
      const program = fileURLToPath(import.meta.resolve("@koala/daemon/main"));
      const daemon = start(`koalad ${name}`, program, [
        ...["--prefix", prefix],
        ...["--listen", "127.0.0.1:0"],
        ...["--config", config],
      ]);
      const listening = /^koalad: listening on (\S+:\d+)$/;
      const [, address] = await daemon.line(listening, startDeadlineMs);
      await daemon.line(/^koalad: ready/, startDeadlineMs);
      return { prefix, address: address! };
    },
    startProgram: (name, file, args, host) =>
      start(
        name,
        fileURLToPath(new URL(file, import.meta.url)),
        args,
        host === undefined ? {} : { KOALA_PREFIX: host.prefix },
      ),
    tails: () =>
      processes
        .map((each) => `--- ${each.name}, last lines ---\n${each.tail().join("\n")}\n`)
        .join("\n"),
    close: () => {
      closed ??= stopAll();
      return closed;
    },
  };
}

function hostConfig(name: string, peers: readonly DemoHost[]): string {
  const links = peers.map(({ address }) => `\n[[peer]]\naddress = "${address}"\n`);
  return `[daemon]\nname = "${name}"\n${links.join("")}`;
}
