#!/usr/bin/env node
/** The program `koala-gateway`: started by koalad where it is configured, or by hand. */
import { readFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { messageOf } from "@koala/interface";
import { resolvePrefix } from "@koala/mrpc";
import { type Gateway, startGateway } from "./gateway.ts";
import {
  egressDefaults,
  type GatewaySettings,
  gatewayDefaults,
  ingressDefaults,
} from "./gateway-options.ts";
import { isDaemonThere, removeState, writeState } from "./state-file.ts";

const usage = `koala-gateway - gRPC, gRPC-Web and Connect at the edge of the mesh

Usage: koala-gateway [options]

  --prefix DIR            the daemon's folder (default: KOALA_PREFIX and so on)
  --ingress HOST:PORT     take calls at this address; port 0 takes a free one; may be repeated
  --egress NAME=HOST:PORT offer the services of a server of gRPC under this name; may be repeated
  --route SERVICE=NAME    what a service is called in the mesh, if callers do not say; may be repeated
  --settings FILE         all of this and more as JSON, from the daemon that starts the gateway
  --help                  print this text and exit

Exit codes: 0 stopped in order · 1 failed · 2 wrong usage
`;

const EXIT_FAILED = 1;
const EXIT_USAGE = 2;

await main();

async function main(): Promise<void> {
  const orders = readOrders();
  if (orders === undefined) return;
  const { settings, hash } = orders;
  let gateway: Gateway;
  try {
    gateway = await startGateway(settings);
  } catch (error) {
    process.stderr.write(`koala-gateway: ${messageOf(error)}\n`);
    process.exitCode = EXIT_FAILED;
    return;
  }
  let isEnding = false;
  const end = (): void => {
    if (isEnding) process.exit(EXIT_FAILED);
    isEnding = true;
    void gateway.close().then(() => {
      if (hash !== undefined) removeState(settings.prefix);
      process.exit(0);
    });
  };
  process.on("SIGTERM", end);
  process.on("SIGINT", end);
  for (const { name, address } of gateway.ingresses) {
    process.stdout.write(`koala-gateway: ingress ${name} at ${address}\n`);
  }
  for (const { name, address } of gateway.egresses) {
    process.stdout.write(`koala-gateway: egress ${name} to ${address}\n`);
  }
  process.stdout.write("koala-gateway: ready\n");
  if (hash === undefined) return;
  const doors = {
    ingresses: gateway.ingresses.map(({ name, address }) => ({ name, address })),
    egresses: gateway.egresses.map(({ name, address }) => ({ name, address })),
  };
  writeState(settings.prefix, hash, doors);
  endWithDaemon(settings, end);
}

/** A gateway that a daemon has started does not stay for ever when that one was killed. */
function endWithDaemon({ prefix, lingerMs }: GatewaySettings, end: () => void): void {
  let seenMs = performance.now();
  const timer = setInterval(() => {
    if (isDaemonThere(prefix)) seenMs = performance.now();
    else if (performance.now() - seenMs >= lingerMs) {
      clearInterval(timer);
      process.stderr.write(`koala-gateway: no daemon in ${prefix} for ${lingerMs} ms, ending\n`);
      end();
    }
  }, 1000);
}

interface Orders {
  readonly settings: GatewaySettings;
  /** What the daemon knows these settings by; undefined for a gateway that was started by hand. */
  readonly hash: string | undefined;
}

function readOrders(): Orders | undefined {
  try {
    const { values } = parseArgs({
      options: {
        prefix: { type: "string" },
        ingress: { type: "string", multiple: true },
        egress: { type: "string", multiple: true },
        route: { type: "string", multiple: true },
        settings: { type: "string" },
        hash: { type: "string" },
        help: { type: "boolean", short: "h" },
      },
    });
    if (values.help === true) {
      process.stdout.write(usage);
      return undefined;
    }
    if (values.settings !== undefined) {
      const text = readFileSync(values.settings, "utf8");
      return { settings: JSON.parse(text) as GatewaySettings, hash: values.hash };
    }
    const routes = Object.fromEntries((values.route ?? []).map((text) => splitAt(text, "=")));
    const ingresses = (values.ingress ?? []).map((text) => {
      const [host, port] = splitAt(text, ":");
      return { ...ingressDefaults, name: text, host, port: portFrom(port), routes };
    });
    const egresses = (values.egress ?? []).map((text) => {
      const [name, address] = splitAt(text, "=");
      const [host, port] = splitAt(address, ":");
      return { ...egressDefaults, name, host, port: portFrom(port) };
    });
    if (ingresses.length + egresses.length === 0) {
      throw new Error("nothing to do; expected --ingress HOST:PORT or --egress NAME=HOST:PORT");
    }
    const prefix = resolvePrefix(values.prefix);
    return { settings: { ...gatewayDefaults, prefix, ingresses, egresses }, hash: undefined };
  } catch (error) {
    process.stderr.write(`koala-gateway: ${messageOf(error)}\n\n${usage}`);
    process.exitCode = EXIT_USAGE;
    return undefined;
  }
}

/** Around the last separator: hosts of IPv6 have colons. */
function splitAt(text: string, separator: string): [string, string] {
  const at = text.lastIndexOf(separator);
  if (at <= 0) throw new Error(`${text}: expected a ${separator} in the middle`);
  return [text.slice(0, at).replace(/^\[(.*)\]$/, "$1"), text.slice(at + 1)];
}

function portFrom(text: string): number {
  if (/^\d{1,5}$/.test(text) && Number(text) <= 65535) return Number(text);
  throw new Error(`${text}: expected a port, 0 to 65535`);
}
