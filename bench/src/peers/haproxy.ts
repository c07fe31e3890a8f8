/** HAProxy as Debian has it. */
import { output, programPath } from "./installed.ts";
import { type FoundPeer, type MissingPeer, type Peer, peer } from "./peer.ts";

const questionTimeoutMs = 10_000;

async function search(): Promise<FoundPeer | MissingPeer> {
  const program = programPath("haproxy");
  if (program === undefined) {
    return { missing: "HAProxy is not installed; on Debian: apt-get install haproxy" };
  }
  const said = await output(program, ["-v"], questionTimeoutMs);
  return { version: /version (\S+)/i.exec(said)?.[1] ?? "unknown", vars: { bin: program } };
}

export const haproxy: Peer = peer("haproxy", search);
