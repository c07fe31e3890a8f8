import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { checkConfig } from "./check.ts";
import type { Config } from "./config.ts";
import type { Host } from "./host.ts";
import { formatPlace, formatProblems } from "./problem.ts";

const host: Host = { prefix: "/run/user/7/koala", name: "box", directory: "/box" };

function configOf(text: string, overrides: { prefix?: string; listen?: string } = {}): Config {
  const { config, problems } = checkConfig({
    text,
    fileName: "conf/koala.toml",
    host,
    prefix:
      overrides.prefix === undefined ? undefined : { source: "--prefix", value: overrides.prefix },
    listen:
      overrides.listen === undefined ? undefined : { source: "--listen", value: overrides.listen },
  });
  assert.ok(config, problems ? formatProblems(problems.list) : "");
  return config;
}

/** Each problem as `place: message`. */
function problemsOf(text: string): string[] {
  const { problems } = checkConfig({ text, fileName: "k.toml", host });
  assert.ok(problems, "no problem was found");
  return problems.list.map((problem) => `${formatPlace(problem.place)}: ${problem.message}`);
}

describe("checkConfig", () => {
  it("gives all defaults for an empty file", () => {
    const miB = 1024 ** 2;
    assert.deepEqual(configOf(""), {
      daemon: {
        prefix: "/run/user/7/koala",
        name: "box",
        listen: { host: "127.0.0.1", port: 4500 },
        runtimes: 1,
        drainMs: 10_000,
      },
      peers: [],
      limits: {
        messageBytes: 64 * miB,
        metadataBytes: 16 * 1024,
        apps: 1024,
        callsPerApp: 2048,
        ringSlots: 4096,
        sendHeapBytes: 256 * miB,
        receiveHeapBytes: 256 * miB,
        heapRegionBytes: 4 * miB,
        schemaBytes: miB,
        links: 256,
        linkWindowBytes: 64 * miB,
        streamWindowBytes: 2 * miB,
        streamBufferBytes: miB / 2,
        servicesPerApp: 1024,
      },
      link: {
        connectTimeoutMs: 2000,
        reconnectMinMs: 100,
        reconnectMaxMs: 5000,
        keepaliveMs: 10_000,
        frameBytes: 256 * 1024,
      },
      runtime: {
        spin: "adaptive",
        spinMicros: 0,
        spinMaxMicros: 500,
        budget: 64,
        mode: "shared",
        runtimesMax: 8,
        affinity: "none",
        stallMs: 2000,
        rebalance: "off",
      },
      placements: [],
      ingresses: [],
      egresses: [],
      log: { level: "info", file: "" },
      modules: { directories: [], base: "/box/conf" },
      policies: [],
    } satisfies Config);
  });

  it("reads what the file says, in any notation of TOML", () => {
    const config = configOf(`\uFEFF
      peer = [{ address = "[::1]:1" }, { address = "b:2", name = "bee" }]
      runtime = { spin = "20us" }
      "limits".message = 4096
      [daemon]
      prefix = "../run"
      listen = ""
      [log]
      level = "warn,link=trace"
      file = "koala.log"
    `);
    assert.deepEqual(config.peers, [
      { address: { host: "::1", port: 1 }, name: null },
      { address: { host: "b", port: 2 }, name: "bee" },
    ]);
    assert.equal(config.runtime.spin, "fixed");
    assert.equal(config.runtime.spinMicros, 20);
    assert.equal(config.limits.messageBytes, 4096);
    assert.equal(config.daemon.listen, null);
    assert.equal(config.daemon.prefix, "/box/run");
    assert.deepEqual(config.log, { level: "warn,link=trace", file: "/box/conf/koala.log" });
  });

  it("lets overrides win, relative to the working directory", () => {
    const text = '[daemon]\nprefix = "/a"\nlisten = "a:1"\nruntimes = 3';
    const { daemon } = configOf(text, { prefix: "b", listen: "0.0.0.0:0" });
    assert.equal(daemon.prefix, "/box/b");
    assert.deepEqual(daemon.listen, { host: "0.0.0.0", port: 0 });
    assert.equal(daemon.runtimes, 3);
    assert.equal(configOf(text, { listen: "" }).daemon.listen, null);
  });

  it("takes zero spinning for none", () => {
    assert.equal(configOf('runtime.spin = "0us"').runtime.spin, "off");
    assert.equal(configOf('runtime.spin = "off"').runtime.spin, "off");
  });

  it("points to the character where the text stops being TOML", () => {
    const { problems } = checkConfig({ text: "[daemon]\nlisten = nine", fileName: "k.toml", host });
    assert.equal(problems?.syntax, true);
    assert.deepEqual(problemsOf("[daemon]\nlisten = nine"), [
      "k.toml:2:10: this is not TOML: invalid value.",
    ]);
    assert.match(
      problemsOf("[daemon]\n[daemon]")[0]!,
      /^k\.toml:2:2: this is not TOML: .*redefine/,
    );
    assert.match(problemsOf(`a = ${"[".repeat(100_000)}`)[0]!, /nested/);
  });

  it("collects all problems of a file and of the overrides", () => {
    const { problems } = checkConfig({
      text: "[daemon]\nlissten = 1\nruntimes = 0\n[limits]\ncalls_per_app = 8192",
      fileName: "k.toml",
      host,
      prefix: { source: "KOALA_PREFIX", value: "~/koala" },
      listen: { source: "--listen", value: "::1" },
    });
    const text = formatProblems(problems!.list);
    const places = text.match(/^\S+: (?=unknown|runtimes|ring|must)/gm);
    assert.deepEqual(places, [
      "k.toml:2:1: ",
      "k.toml:3:12: ",
      "k.toml:5:17: ",
      "KOALA_PREFIX: ",
      "--listen: ",
    ]);
  });

  it("refuses a prefix too long for the sockets in it, naming who gave it", () => {
    const long = `/${"p".repeat(100)}`;
    assert.match(problemsOf(`daemon.prefix = "${long}"`)[0]!, /^k\.toml:1:17: prefix must .*101: /);
    const { problems } = checkConfig({
      text: "",
      fileName: "k.toml",
      host,
      prefix: { source: "--prefix", value: long },
    });
    assert.equal(problems?.list[0]?.place.source, "--prefix");
  });
});

describe("checkConfig, unknown keys", () => {
  it("suggests the key that was meant", () => {
    assert.deepEqual(problemsOf('[daemon]\n  lissten = "127.0.0.1:4500"'), [
      'k.toml:2:3: unknown key "lissten" in [daemon]. Did you mean "listen"?',
    ]);
    assert.deepEqual(problemsOf("[limit]"), [
      'k.toml:1:2: unknown section "limit". Did you mean "limits"?',
    ]);
    assert.deepEqual(problemsOf('[[peer]]\naddress = "a:1"\nnam = "x"'), [
      'k.toml:3:1: unknown key "nam" in [[peer]]. Did you mean "name"?',
    ]);
  });

  it("says where a key belongs", () => {
    assert.deepEqual(problemsOf('listen = ""'), [
      'k.toml:1:1: unknown key "listen". It belongs in [daemon].',
    ]);
    assert.deepEqual(problemsOf('[daemon]\nkeepalive = "1s"'), [
      'k.toml:2:1: unknown key "keepalive" in [daemon]. It belongs in [link].',
    ]);
  });

  it("lists what is known when nothing is near", () => {
    assert.deepEqual(problemsOf("[log]\ncolour = true"), [
      'k.toml:2:1: unknown key "colour" in [log]. Known here: level, file.',
    ]);
  });

  it("refuses keys that mean something to JavaScript", () => {
    for (const key of ["__proto__", "constructor", "toString"]) {
      assert.match(problemsOf(`[daemon]\n${key} = 1`)[0]!, new RegExp(`^k.toml:2:1: .*"${key}"`));
      assert.match(problemsOf(`[${key}]\nx = 1`)[0]!, new RegExp(`^k.toml:1:2: .*"${key}"`));
    }
  });
});

describe("checkConfig, wrong values", () => {
  it("quotes the value as it was written", () => {
    assert.deepEqual(problemsOf("[daemon]\nruntimes = 1.0"), [
      "k.toml:2:12: runtimes in [daemon] must be a whole number from 1 to 64, found 1.0.",
    ]);
    assert.deepEqual(problemsOf("[limits]\nring_slots = 3000"), [
      "k.toml:2:14: ring_slots in [limits] must be a power of two from 4 to 262144, found 3000. The nearest are 2048 and 4096.",
    ]);
    assert.deepEqual(problemsOf('[runtime]\nspin = "adaptve"'), [
      'k.toml:2:8: spin in [runtime] must be "adaptive", "off" or a duration from 0us to 10ms, a whole number and a unit such as "50us", found "adaptve". Did you mean "adaptive"?',
    ]);
    assert.match(
      problemsOf(`daemon.name = "${"n".repeat(90)}"`)[0]!,
      /found a value of 92 characters/,
    );
    assert.match(problemsOf('[daemon]\nruntimes = "2"')[0]!, /Write it without quotes/);
    assert.match(problemsOf("[limits]\napps = 99999999999999999999")[0]!, /^k\.toml:2:8: .*65536/);
  });

  it("passes on what is wrong with log levels", () => {
    assert.match(
      problemsOf('[log]\nlevel = "info,lnk=debug"')[0]!,
      /^k\.toml:2:9: .*Unknown area "lnk"\. Did you mean "link"\?$/,
    );
  });

  it("wants tables where there are tables", () => {
    assert.deepEqual(problemsOf("daemon = 1979-05-27"), [
      "k.toml:1:10: daemon must be a table, written [daemon], found 1979-05-27.",
    ]);
    assert.deepEqual(problemsOf("link = []"), [
      "k.toml:1:8: link must be a table, written [link], found [].",
    ]);
    assert.deepEqual(problemsOf('[peer]\naddress = "a:1"'), [
      "k.toml:1:1: peer must be a list of tables, each written [[peer]], found a table.",
    ]);
    assert.deepEqual(problemsOf("peer = [1]"), [
      "k.toml:1:9: peer must be a list of tables, each written [[peer]], found 1.",
    ]);
    assert.match(
      problemsOf("[daemon.name]\nx = 1")[0]!,
      /^k\.toml:1:1: name in .* found a table\.$/,
    );
  });

  it("points to the table that lacks a required key", () => {
    assert.match(
      problemsOf('[[peer]]\naddress = "a:1"\n[[peer]]\nname = "b"')[0]!,
      /^k\.toml:3:1: \[\[peer\]\] lacks the key "address": an address/,
    );
    assert.match(problemsOf('peer = [{ name = "b" }]')[0]!, /^k\.toml:1:9: /);
  });
});
