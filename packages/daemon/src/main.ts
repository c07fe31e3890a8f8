#!/usr/bin/env node
/** The program `koalad`: reads flags and configuration, runs the daemon, obeys signals. */
import { parseArgs } from "node:util";
import { messageOf } from "@koala/interface";
import { type LoadedConfig, loadConfigFile } from "./config/index.ts";
import { Daemon } from "./control/daemon.ts";
import { createLog, logOptionsFrom } from "./log/index.ts";
import { checkPolicies } from "./policies/index.ts";
import { version } from "./version.ts";

const usage = `koalad ${version} - the Koala daemon

Usage: koalad [options]

  --config FILE     configuration, koala.toml (default: built-in defaults)
  --prefix DIR      directory for the daemon's sockets
  --listen ADDRESS  host:port for other daemons; port 0 takes a free one, "" none
  --takeover FD     take over from the daemon at the other end of this descriptor, which starts this one
  --check           check the configuration and exit
  --print           check the configuration, print it with all defaults as JSON, and exit
  --version         print the version and exit
  --help            print this text and exit

Environment: KOALA_PREFIX, KOALA_LISTEN, KOALA_LOG, KOALA_LOG_FILE, KOALA_LOG_FORMAT
Exit codes: 0 stopped in order · 1 failed · 2 wrong usage or configuration
`;

const EXIT_FAILED = 1;
const EXIT_USAGE = 2;

await main();

async function main(): Promise<void> {
  const flags = readFlags();
  if (flags === undefined) return;
  const { config: path, prefix, listen } = flags;
  const load = (): LoadedConfig => loadConfigFile({ env: process.env, path, prefix, listen });
  let loaded: LoadedConfig;
  let log: ReturnType<typeof createLog>;
  try {
    loaded = load();
    log = createLog(logOptionsFrom(process.env, loaded.config.log));
    if (flags.check || flags.print) {
      await checkPolicies(loaded);
      await log.close();
      const facts = JSON.stringify({ version, config: loaded.config });
      process.stdout.write(flags.print ? `${facts}\n` : "koalad: the configuration is in order\n");
      return;
    }
  } catch (error) {
    process.stderr.write(`${messageOf(error)}\n`);
    process.exitCode = EXIT_USAGE;
    return;
  }
  const { config } = loaded;
  const daemon = new Daemon({
    loaded,
    reload: load,
    log,
    takeover: flags.takeover,
    onLeft: () => void log.close().then(() => process.exit(0)),
    onFailure: (reason) => {
      process.stderr.write(`koalad: ${reason}\n`);
      log.area("daemon").error(reason);
      process.exitCode = EXIT_FAILED;
      void end(daemon.stop());
    },
  });
  let ending = false;
  let ended = false;
  const end = async (stopped: Promise<void>): Promise<void> => {
    ending = true;
    await stopped;
    if (ended) return;
    ended = true;
    log.area("daemon").info("stopped");
    await log.close();
    process.exit();
  };
  // The first signal lets calls in flight end, the second one does not.
  const onSignal = (): void => void end(ending ? daemon.stop() : daemon.drain());
  process.on("SIGTERM", onSignal);
  process.on("SIGINT", onSignal);
  // A parent that has opened a channel, `koalactl dev`, wants to be outlived by no daemon of its own.
  process.once("disconnect", onSignal);
  process.on("SIGHUP", () => {
    log.reopen();
    void daemon.applyConfig();
  });
  try {
    await daemon.start();
  } catch (error) {
    if (ending) return; // it was told to stop, or has said already what failed
    process.stderr.write(`koalad: ${messageOf(error)}\n`);
    await log.close();
    process.exit(EXIT_FAILED);
  }
  if (flags.takeover !== undefined) {
    log
      .area("daemon")
      .info("took over", { version, prefix: config.daemon.prefix, pid: process.pid });
    return;
  }
  if (daemon.address !== undefined)
    process.stdout.write(`koalad: listening on ${daemon.address}\n`);
  process.stdout.write(`koalad: ready in ${config.daemon.prefix}\n`);
  log.area("daemon").info("ready", { version, prefix: config.daemon.prefix, pid: process.pid });
}

interface Flags {
  config: string | undefined;
  prefix: string | undefined;
  listen: string | undefined;
  check: boolean;
  print: boolean;
  takeover: number | undefined;
}

function readFlags(): Flags | undefined {
  try {
    const { values } = parseArgs({
      options: {
        config: { type: "string" },
        prefix: { type: "string" },
        listen: { type: "string" },
        takeover: { type: "string" },
        check: { type: "boolean" },
        print: { type: "boolean" },
        version: { type: "boolean" },
        help: { type: "boolean", short: "h" },
      },
    });
    if (values.help === true) process.stdout.write(usage);
    else if (values.version === true) process.stdout.write(`${version}\n`);
    else {
      const { config, prefix, listen, check, print } = values;
      const takeover = values.takeover === undefined ? undefined : Number(values.takeover);
      return { config, prefix, listen, check: check === true, print: print === true, takeover };
    }
  } catch (error) {
    process.stderr.write(`koalad: ${messageOf(error)}\n\n${usage}`);
    process.exitCode = EXIT_USAGE;
  }
  return undefined;
}
