import assert from "node:assert/strict";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import type { AppStatus, ClosureStatus, DaemonStatus } from "@koala/protocol";
import { createPrefix, ctl, startFake } from "./fake-daemon-helper.test.ts";

const app: AppStatus = {
  id: 3,
  runtime: 0,
  name: "shop\u001b[31m",
  library: "koala-node/0.1.0",
  thread: 0,
  labels: { tier: "gold" },
  pid: 4711,
  uid: 1000,
  callsMade: 12,
  callsServed: 34,
  outgoing: 1,
  incoming: 0,
  parked: 0,
  sendHeapBytes: 4 * 1024 * 1024,
  receiveHeapBytes: 0,
  receiveBlocks: 0,
  exports: ["geo", "geo"],
  attachedMs: 0,
};

/** The end of an app in second `second`; of every other one for a fault. */
function closureAt(second: number): ClosureStatus {
  const at = `2026-01-01T00:00:${String(second).padStart(2, "0")}.000Z`;
  const code = second % 2 === 0 ? "ERR_APP_PROTOCOL" : "";
  return { at, kind: "app", who: `shop[${second}]`, code, reason: `reason\n${second}` };
}

const status: DaemonStatus = {
  name: "host-a",
  version: "0.1.0",
  pid: 99,
  prefix: "/run/koala",
  listen: null,
  startedAt: "2026-01-01T00:00:00.000Z",
  uptimeMs: 65_000,
  state: "running",
  node: "v20.20.0",
  memory: { rssBytes: 1024 * 1024 },
  counters: {
    apps: 1,
    linksUp: 1,
    links: 2,
    bindings: 4,
    openCalls: 0,
    callsMade: 12,
    callsServed: 34,
    linkBytesIn: 0,
    linkBytesOut: 2048,
    cpuSeconds: 0.5,
  },
  runtimes: [
    {
      index: 0,
      rounds: 1000,
      sleeps: 10,
      spins: 0,
      spinHits: 0,
      cpuSeconds: 0.5,
      openCalls: 0,
      apps: [app],
      links: [],
      bindings: [],
      services: [],
      closures: Array.from({ length: 12 }, (_, i) => closureAt(i)).reverse(),
    },
  ],
};

const geo = { name: "geo", service: "geo.v1.Geo", schema: "0123456789abcdef" };

const lists: Record<string, { body: object; text: RegExp[] }> = {
  status: {
    body: status,
    text: [
      /^host-a {2}koalad 0\.1\.0 {2}running\n/,
      /up +1m 5s/,
      /listen +no port/,
      /links +1 of 2 up/,
      /^CLOSED .*\n2026-01-01T00:00:02\.000Z +app +shop\[2\] +ERR_APP_PROTOCOL +reason�2$/m,
      /:11\.000Z +app +shop\[11\] +- +reason�11\n$/,
    ],
  },
  apps: {
    body: { apps: [app] },
    text: [/^ID {2}NAME/, / tier=gold /, / 3 {2}shop�\[31m +4711 /, / geo {2,}/, /4\.0 MiB/],
  },
  services: {
    body: { services: [{ ...geo, where: "local", instances: 2, methods: ["Nearest", "Lookup"] }] },
    text: [/^geo +geo\.v1\.Geo +local +2 {2}0123456789ab {2}Nearest, Lookup$/m],
  },
  links: {
    body: {
      links: [
        {
          runtime: 0,
          address: "10.0.0.2:4500",
          direction: "outgoing",
          state: "down",
          peer: "",
          since: "2026-01-01T00:00:00.000Z",
          bytesIn: 0,
          bytesOut: 0,
          calls: 0,
          parked: 0,
          problem: "ECONNREFUSED",
          services: [],
        },
      ],
    },
    text: [/^10\.0\.0\.2:4500 +outgoing +down +- .*ECONNREFUSED$/m],
  },
  bindings: {
    body: {
      bindings: [
        {
          runtime: 0,
          app: "shop[1]",
          target: "geo",
          ...geo,
          endpoints: [],
          problem: "no endpoint",
        },
      ],
    },
    text: [/^shop\[1\] +geo +geo\.v1\.Geo +0123456789ab +no endpoint$/m],
  },
};

describe("koalactl", { timeout: 30_000 }, () => {
  for (const [command, { body, text }] of Object.entries(lists)) {
    it(`${command}: a table for people, the whole answer for programs`, async (test) => {
      const prefix = await startFake(test, { [`/v1/${command}`]: { body } });
      const table = await ctl([command, "--prefix", prefix]);
      assert.equal(table.code, 0, table.stderr);
      for (const pattern of text) assert.match(table.stdout, pattern);
      assert.doesNotMatch(table.stdout, /\p{Cc}(?<!\n)/u);
      const json = await ctl(["-o", "json", command, "--prefix", prefix]);
      assert.deepEqual(
        { ...json, stdout: JSON.parse(json.stdout) },
        { code: 0, stdout: body, stderr: "" },
      );
    });
  }

  it("says so when a list is empty, and not on stdout", async (test) => {
    const prefix = await startFake(test, { "/v1/apps": { body: { apps: [] } } });
    const ran = await ctl(["apps", "--prefix", prefix]);
    assert.deepEqual(ran, { code: 0, stdout: "", stderr: "no apps are attached\n" });
  });

  it("has colours on a terminal, and none with NO_COLOR", async (test) => {
    const prefix = await startFake(test, { "/v1/status": { body: status } });
    const args = ["status", "--prefix", prefix];
    assert.ok((await ctl(args, { isTTY: true })).stdout.includes("\u001b[32mrunning"));
    const plain = await ctl(args, { isTTY: true, env: { NO_COLOR: "1" } });
    assert.equal(plain.stdout.includes("\u001b"), false);
  });

  it("takes the prefix from KOALA_PREFIX", async (test) => {
    const prefix = await startFake(test, { "/v1/apps": { body: { apps: [] } } });
    assert.equal((await ctl(["apps"], { env: { KOALA_PREFIX: prefix } })).code, 0);
  });

  it("exits with 3 and says what to start when there is no daemon", async (test) => {
    const prefix = createPrefix(test);
    const text = `no daemon at ${prefix}/admin.sock: start it with \`koalad --prefix ${prefix}\``;
    for (const folder of [prefix, join(prefix, "none")]) {
      const { code, stdout, stderr } = await ctl(["status", "--prefix", folder]);
      assert.deepEqual([code, stdout], [3, ""]);
      assert.ok(stderr.includes(text.replaceAll(prefix, folder)), stderr);
    }
    const { code, stderr } = await ctl(["-o", "json", "status", "--prefix", prefix]);
    assert.equal(code, 3);
    assert.equal(JSON.parse(stderr).error.code, "ERR_CTL_NO_DAEMON");
    writeFileSync(join(prefix, "file"), "");
    assert.equal((await ctl(["status", "--prefix", join(prefix, "file")])).code, 3);
    mkdirSync(join(prefix, "admin.sock"));
    assert.notEqual((await ctl(["status", "--prefix", prefix])).code, 0);
  });

  it("exits with 1 and the daemon's reason when it refuses", async (test) => {
    const body = { code: "ERR_ADMIN_USER", message: "user 7 may not ask this daemon" };
    const prefix = await startFake(test, { "/v1/links": { status: 403, body } });
    assert.deepEqual(await ctl(["links", "--prefix", prefix]), {
      code: 1,
      stdout: "",
      stderr: "koalactl: user 7 may not ask this daemon\n",
    });
    const { stderr } = await ctl(["links", "-o", "json", "--prefix", prefix]);
    assert.deepEqual(JSON.parse(stderr), { error: body });
  });

  it("does not take what is no daemon for one", async (test) => {
    const prefix = await startFake(test, {
      "/v1/links": { body: "<html>" },
      "/v1/apps": { status: 500, body: {} },
    });
    for (const command of ["links", "apps"]) {
      const { code, stderr } = await ctl([command, "--prefix", prefix]);
      assert.equal(code, 1);
      assert.match(stderr, /use a daemon and a koalactl of one release/);
    }
  });

  it("exits with 2 for what can't be understood, with 0 for help and version", async () => {
    const wrong = [
      [],
      ["stats"],
      ["apps", "x"],
      ["apps", "--all"],
      ["apps", "-o", "xml"],
      ["call"],
    ];
    for (const args of wrong) assert.equal((await ctl(args)).code, 2, args.join(" "));
    assert.match((await ctl(["stats"])).stderr, /Did you mean status\?/);
    for (const args of [["--help"], ["call", "--help"], ["help", "call"], ["--version"]]) {
      const { code, stdout } = await ctl(args);
      assert.equal(code, 0, args.join(" "));
      assert.notEqual(stdout, "");
    }
  });
});
