/**
 * A program that is asked to take over a daemon and does not: `fake-successor.js --prefix DIR … --takeover FD`.
 * How far it goes stands in `DIR/stage`: `version`, `prepare`, `state`, `refuse`, `restored`.
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { POLL_IN, receiveMessage, sendMessage, watch } from "@koala/native";

const { values } = parseArgs({
  strict: false,
  options: { prefix: { type: "string" }, takeover: { type: "string" } },
});
const stage = readFileSync(join(String(values["prefix"]), "stage"), "utf8");
const fd = Number(values["takeover"]);
const packet = new Uint8Array(65536);
const fds = new Int32Array(17);

function say(message: object): void {
  sendMessage(fd, Buffer.from(JSON.stringify(message)), null);
}

watch(fd, POLL_IN, () => {
  for (;;) {
    const bytes = receiveMessage(fd, packet, fds);
    if (bytes === 0) process.exit(0);
    if (bytes < 0) return;
    obey(JSON.parse(Buffer.from(packet.subarray(0, bytes)).toString()).op);
  }
});
// As the daemon that is to be taken over, whose own modules say so.
const code = new URL("./handover/", import.meta.resolve("@koala/daemon/main"));
const { handoverVersion: protocol } = await import(new URL("handover-message.js", code).href);
const { daemonStateVersion } = await import(new URL("runtime-state.js", code).href);
const state = stage === "version" ? 999 : daemonStateVersion;
say({ op: "hello", protocol, state, version: "0.0.0-fake", pid: process.pid });

function obey(op: string): void {
  if (op === stage || op === "abort") process.exit(7);
  if (op === "prepare") say({ op: "prepared" });
  if (op === "state" && stage === "refuse") {
    say({ op: "refused", code: "ERR_FAKE", reason: "it does not like this state" });
  }
  if (op === "state" && stage === "restored") say({ op: "restored", failed: 0 });
  // The word to go on came, and nothing was done yet.
  if (op === "commit") process.exit(7);
}
