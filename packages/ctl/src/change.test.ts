// Commands that change the daemon, against a socket that records what it is told.
import assert from "node:assert/strict";
import { join } from "node:path";
import { describe, it, type TestContext } from "node:test";
import type { ChangeAnswer, DaemonUpgradeAnswer, PolicyStatus } from "@koala/protocol";
import { type Answers, ctl, type Ran, startFake } from "./fake-daemon-helper.test.ts";

const change: ChangeAnswer = {
  dryRun: false,
  revision: 7,
  changes: [{ kind: "attached", policy: "limit", detail: "order 10" }],
  runtimes: [
    { runtime: 0, prepareMicros: 12_400, pauseMicros: 43, bindings: 4, openCalls: 17, moved: 0 },
  ],
  needsRestart: ["daemon.listen"],
  notes: ["limit matches no call that is made now"],
};

const upgrade: DaemonUpgradeAnswer = {
  dryRun: false,
  program: "/opt/koala/main.js",
  from: { version: "0.1.0", pid: 10 },
  to: { version: "0.2.0", pid: 11 },
  moved: {
    runtimes: 2,
    apps: 3,
    links: 1,
    calls: 128,
    messages: 2,
    descriptors: 40,
    policies: 1,
    bytes: 4096,
  },
  pauseMs: 31.26,
  callsInFlight: 128,
  failed: 0,
  steps: [{ step: "freeze", ms: 3.5 }],
};

const policy: PolicyStatus = {
  name: "limit",
  use: "rate-limit",
  version: "1.0.0",
  stateVersion: 1,
  module: "/x/index.js",
  code: "abc",
  origin: "file",
  order: 10,
  enabled: true,
  match: { service: ["a", "b"], side: "client", labels: { tier: "gold" } },
  onFailure: "closed",
  budgetMicros: 20_000,
  config: { rate: 5 },
  state: "quarantined",
  failure: "TypeError: x at limit.ts:3:4",
  counters: { denied: 3, passed: 4 },
  instances: [],
};

interface Told {
  ran: Ran;
  told: [path: string, body: unknown][];
}

/** Runs a command against a daemon that agrees to everything. */
async function tell(test: TestContext, args: readonly string[], more: Answers = {}): Promise<Told> {
  const told: [string, unknown][] = [];
  const posts = [
    "policies/attach",
    "policies/detach",
    "policies/set",
    "config/apply",
    "config/rollback",
    "upgrade",
  ];
  const answers = {
    ...Object.fromEntries(posts.map((path) => [`POST /v1/${path}`, { body: change }])),
    "POST /v1/upgrade/daemon": { body: upgrade },
    ...more,
  };
  const prefix = await startFake(test, answers, (path, body) => told.push([path, body]));
  const ran = await ctl(["--prefix", prefix, ...args]);
  return { ran, told };
}

describe("koalactl changes a daemon", { timeout: 30_000 }, () => {
  const here = process.cwd();
  const requests: [args: string, path: string, body: object][] = [
    [
      "policy attach acl",
      "/v1/policies/attach",
      { policy: { name: "acl", use: "acl" }, dryRun: false },
    ],
    [
      'policy attach limit --use rate-limit -m service=a,side=client -c {"rate":5} --order -3 --on-failure open --budget 5ms --disabled --dry-run',
      "/v1/policies/attach",
      {
        policy: {
          name: "limit",
          use: "rate-limit",
          match: { service: "a", side: "client" },
          config: { rate: 5 },
          order: -3,
          onFailure: "open",
          budget: "5ms",
          enabled: false,
        },
        dryRun: true,
      },
    ],
    [
      "policy attach ./mine.ts",
      "/v1/policies/attach",
      { policy: { name: "mine", use: join(here, "mine.ts") }, dryRun: false },
    ],
    ["policy detach acl --dry-run", "/v1/policies/detach", { name: "acl", dryRun: true }],
    [
      "policy set limit rate=9 mode=null per=1s --enable",
      "/v1/policies/set",
      {
        name: "limit",
        merge: { rate: 9, mode: null, per: "1s" },
        enabled: true,
        dryRun: false,
      },
    ],
    [
      "policy set limit --disable --order 5",
      "/v1/policies/set",
      { name: "limit", order: 5, enabled: false, dryRun: false },
    ],
    ["policy set limit --reset", "/v1/policies/set", { name: "limit", reset: true, dryRun: false }],
    ["apply", "/v1/config/apply", { dryRun: false, reset: false }],
    ["apply --dry-run --reset", "/v1/config/apply", { dryRun: true, reset: true }],
    ["config rollback 3", "/v1/config/rollback", { revision: 3, dryRun: false }],
    ["upgrade acl", "/v1/upgrade", { module: "acl", dryRun: false }],
    [
      "upgrade ./mine.ts --path /new/mine.ts --dry-run",
      "/v1/upgrade",
      { module: join(here, "mine.ts"), path: "/new/mine.ts", dryRun: true },
    ],
    ["upgrade --daemon", "/v1/upgrade/daemon", { dryRun: false }],
    [
      "upgrade --daemon --program main.js --dry-run",
      "/v1/upgrade/daemon",
      { dryRun: true, program: join(here, "main.js") },
    ],
  ];
  for (const [args, path, body] of requests) {
    it(`${args}: tells the daemon so`, async (test) => {
      const { ran, told } = await tell(test, args.split(" "));
      assert.equal(ran.code, 0, ran.stderr);
      assert.deepEqual(told, [[path, body]]);
    });
  }

  it("says what changed, what it cost, and what a restart is needed for", async (test) => {
    const { ran } = await tell(test, ["policy", "attach", "limit"]);
    assert.match(ran.stdout, /^CHANGE +POLICY +DETAIL\nattached +limit +order 10\n\nRUNTIME/);
    assert.match(ran.stdout, /^ +0 +43 µs +12\.4 ms +4 +17 +0$/m);
    assert.match(ran.stderr, /^daemon\.listen differs .*restart/);
    assert.match(ran.stderr, /matches no call/);
    assert.match(ran.stderr, /revision 7\n$/);
    const json = await tell(test, ["-o", "json", "policy", "attach", "limit"]);
    assert.deepEqual(JSON.parse(json.ran.stdout), change);
    assert.equal(json.ran.stderr, "");
  });

  it("says so when nothing changed or would change", async (test) => {
    const none = { ...change, changes: [], needsRestart: [], notes: [] };
    const nothing = await tell(test, ["apply"], { "POST /v1/config/apply": { body: none } });
    assert.deepEqual(nothing.ran, {
      code: 0,
      stdout: "",
      stderr: "nothing to change; revision 7\n",
    });
    const dry = { ...none, dryRun: true, changes: change.changes };
    const would = await tell(test, ["apply", "--dry-run"], {
      "POST /v1/config/apply": { body: dry },
    });
    assert.match(would.ran.stdout, /attached/);
    assert.doesNotMatch(would.ran.stdout, /RUNTIME/);
    assert.match(would.ran.stderr, /nothing has been changed/);
  });

  it("says what an upgrade of the daemon has moved", async (test) => {
    const { ran } = await tell(test, ["upgrade", "--daemon"]);
    assert.match(ran.stdout, /^to +koalad 0\.2\.0, process 11$/m);
    assert.match(ran.stdout, /^moved +3 apps, 1 links, 128 calls/m);
    assert.match(ran.stdout, /^pause +31\.3 ms$/m);
    assert.match(ran.stdout, /^failed +0$/m);
    assert.match(ran.stdout, /^freeze +3\.5 ms$/m);
  });

  it("passes on why the daemon refuses, and changes nothing else", async (test) => {
    const message = "/srv/limit.ts:3:14: unexpected token";
    const refusal = { status: 422, body: { code: "ERR_MODULE_SYNTAX", message } };
    const { ran } = await tell(test, ["policy", "attach", "limit"], {
      "POST /v1/policies/attach": refusal,
    });
    assert.deepEqual(ran, { code: 1, stdout: "", stderr: `koalactl: ${message}\n` });
  });

  it("shows the lines of a file that problems are in", async (test) => {
    const message =
      "koala.toml:8:1: unknown key\n    8 | confg = 1\n      | ^^^^^\n\nkoala.toml:9:1: \u001b[31m";
    const { ran } = await tell(test, ["apply"], {
      "POST /v1/config/apply": { status: 422, body: { code: "ERR_CONFIG_INVALID", message } },
    });
    assert.equal(
      ran.stderr,
      "koalactl: koala.toml:8:1: unknown key\n      8 | confg = 1\n        | ^^^^^\n\n  koala.toml:9:1: \ufffd[31m\n",
    );
  });

  it("asks the daemon for nothing when the command makes no sense", async (test) => {
    const wrong = [
      "policy set limit",
      "policy set limit --enable --disable",
      "policy attach",
      "policy attach a --order first",
      "policy attach a --on-failure ajar",
      "policy attach a -m sevice=a",
      "policy attach a -c {",
      "policy dev /none/such.ts",
      "config rollback last",
      "config diff 1 2 3",
      "upgrade",
      "upgrade acl --daemon",
      "upgrade acl --program x",
      "runtimes move 1",
      "runtimes move a 1",
      "events --topic apps",
      "events --last -1",
    ];
    for (const args of wrong) {
      const { ran, told } = await tell(test, args.split(" "));
      assert.equal(ran.code, 2, args);
      assert.deepEqual(told, [], args);
      assert.equal(ran.stdout, "", args);
    }
  });
});

describe("koalactl policy list", { timeout: 30_000 }, () => {
  it("shows policies in order, and why one was taken out", async (test) => {
    const more = { "/v1/policies": { body: { revision: 7, policies: [policy] } } };
    const { ran } = await tell(test, ["policy", "list"], more);
    assert.equal(ran.code, 0, ran.stderr);
    assert.match(ran.stdout, /^ +10 +limit +rate-limit +1\.0\.0 +file +quarantined +closed +/m);
    assert.match(
      ran.stdout,
      / service=a,service=b,side=client,label\.tier=gold +denied 3, passed 4$/m,
    );
    assert.match(ran.stderr, /limit was taken out, its calls are refused: TypeError/);
    const json = await tell(test, ["policy", "list", "-o", "json"], more);
    assert.deepEqual(JSON.parse(json.ran.stdout).policies, [policy]);
  });
});

describe("koalactl config", { timeout: 30_000 }, () => {
  it("shows the history and differences", async (test) => {
    const who = { uid: 0, pid: 12, via: "admin" };
    const revision = {
      revision: 7,
      time: "2026-01-01T00:00:00.000Z",
      who,
      summary: "attach limit",
      policies: 1,
      isCurrent: true,
    };
    const more = {
      "/v1/config/history": { body: { revisions: [revision] } },
      "/v1/config/diff?from=3&to=5": { body: { from: 3, to: 5, lines: [" a", "-b", "+c\u001b"] } },
      "/v1/config/diff?from=3": { body: { from: 3, to: 7, lines: [] } },
    };
    const history = await tell(test, ["config", "history"], more);
    assert.match(
      history.ran.stdout,
      /^ +7 +\* +2026-01-01\S+ +admin, user 0, process 12 +1 +attach limit$/m,
    );
    const diff = await tell(test, ["config", "diff", "3", "5"], more);
    assert.equal(diff.ran.stdout, " a\n-b\n+c\ufffd\n");
    const same = await tell(test, ["config", "diff", "3"], more);
    assert.equal(same.ran.stdout, "");
    assert.match(same.ran.stderr, /3 and 7 have the same/);
  });
});

describe("koalactl runtimes", { timeout: 30_000 }, () => {
  it("shows load and sleeps, and moves an app", async (test) => {
    const runtime = {
      index: 0,
      state: "running",
      mode: "shared",
      cpus: [],
      load: 0.256,
      apps: 2,
      links: 1,
      engines: 4,
      openCalls: 9,
      roundsPerSecond: 1000.4,
      sleepsPerSecond: 10,
      wakeupsPerSecond: 9,
      spinsPerSecond: 0,
      cpuSeconds: 1.5,
      restarts: 1,
      lastFailure: "a policy looped",
      startedAt: "2026-01-01T00:00:00.000Z",
    };
    const answer = {
      mode: "shared",
      affinity: "smt",
      rebalance: "off",
      runtimesMax: 1,
      windowMs: 1000,
      notes: ["this machine has no sibling threads"],
      runtimes: [runtime],
    };
    const move = { app: 3, from: 0, to: 1, pauseMicros: 250, callsInFlight: 5, failed: 0 };
    const more = { "/v1/runtimes": { body: answer }, "POST /v1/runtimes/move": { body: move } };
    const { ran } = await tell(test, ["runtimes"], more);
    assert.match(
      ran.stdout,
      /^ +0 +running +shared +any +25\.6 % +2 +1 +4 +9 +1000 +10 +9 +1\.50 s +1$/m,
    );
    assert.match(ran.stderr, /affinity smt.*no sibling threads.*started again: a policy looped/s);
    const moved = await tell(test, ["runtimes", "move", "3", "1"], more);
    assert.deepEqual(moved.told, [["/v1/runtimes/move", { app: 3, runtime: 1 }]]);
    assert.equal(
      moved.ran.stdout,
      "app 3: runtime 0 → 1\npause 250 µs, 5 calls in flight, 0 failed\n",
    );
  });
});
