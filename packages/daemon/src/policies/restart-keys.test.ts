import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { checkConfig } from "../config/check.ts";
import type { LoadedConfig } from "../config/index.ts";
import { keysForRestart } from "./restart-keys.ts";

const host = { prefix: "/run/koala", name: "box", directory: "/" };

function load(text: string): LoadedConfig {
  const { config, ...rest } = checkConfig({ text, fileName: "k.toml", host });
  assert.ok(config !== null && "document" in rest);
  return { config, document: rest.document };
}

describe("keysForRestart", () => {
  it("names what differs, also when one of the files leaves it to the default", () => {
    const before = load('[daemon]\nruntimes = 2\n[log]\nlevel = "info"\nfile = "a"');
    const after = load(
      '[log]\nlevel = "debug"\nfile = "b"\n[[peer]]\naddress = "a:1"\n[[policy]]\nuse = "null"',
    );
    assert.deepEqual(keysForRestart(before, after), ["daemon.runtimes", "peer", "log.file"]);
  });

  it("does not mind how the same is written", () => {
    const before = load('[limits]\nmessage = "64MiB"\n[link]\nkeepalive = "10s"');
    const after = load('[limits]\nmessage = 67108864\n[link]\nkeepalive = "10000ms"');
    assert.deepEqual(keysForRestart(before, after), []);
  });
});
