import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { readFileSync } from "node:fs";
import { before, describe, it } from "node:test";
import { fileURLToPath } from "node:url";
import type { AdminAnswers, AdminPath } from "@koala/protocol";
import { Kitchen } from "../gen/test/v1/kitchen_pb.ts";
import { type Daemon, startCluster } from "../stage/cluster.ts";
import { connectTo, endWithSuite, startKitchen } from "../stage/kitchen.ts";

const ctlProgram = fileURLToPath(new URL("../../../packages/ctl/dist/main.js", import.meta.url));
const daemonProgram = fileURLToPath(import.meta.resolve("@koala/daemon/main"));

interface Ran {
  code: number;
  stdout: string;
  stderr: string;
}

/** Runs a program to its end. */
function runNode(program: string, args: readonly string[], input = ""): Promise<Ran> {
  return new Promise((resolve, reject) => {
    const env = { ...process.env, NO_COLOR: "", KOALA_PREFIX: "" };
    const options = { env, timeout: 20_000 };
    const child = execFile(
      process.execPath,
      [program, ...args],
      options,
      (error, stdout, stderr) => {
        const code = error === null ? 0 : error.code;
        if (typeof code === "number") resolve({ code, stdout, stderr });
        else reject(error);
      },
    );
    child.stdin!.end(input);
  });
}

describe("koalactl", { timeout: 120_000 }, () => {
  const ending = endWithSuite();
  let near: Daemon;
  let far: Daemon;

  /** Runs koalactl at the daemon whose host serves the kitchen, or at another one. */
  const ctl = (args: readonly string[], daemon = far, input = ""): Promise<Ran> =>
    runNode(ctlProgram, ["--prefix", daemon.prefix, ...args], input);

  const list = async <Path extends AdminPath>(
    _path: Path,
    command: string,
    daemon = far,
  ): Promise<AdminAnswers[Path]> => {
    const { code, stdout, stderr } = await ctl([command, "-o", "json"], daemon);
    assert.deepEqual([code, stderr], [0, ""]);
    assert.equal(stdout.split("\n").length, 2, "one line");
    return JSON.parse(stdout) as AdminAnswers[Path];
  };

  const table = async (command: string, daemon = far): Promise<string> => {
    const { code, stdout, stderr } = await ctl([command], daemon);
    assert.deepEqual([code, stderr], [0, ""]);
    return stdout;
  };

  before(async () => {
    const cluster = await startCluster(ending);
    near = cluster.a;
    far = cluster.b;
    await startKitchen(ending, far);
    // A client on the other host, so that there is a binding to see and something has gone over the link.
    const mesh = await connectTo(ending, near);
    await mesh.client(Kitchen, "kitchen").who({}, { waitForReady: true, timeoutMs: 20_000 });
  });

  it("status shows the daemon", async () => {
    const status = await list("/v1/status", "status");
    assert.equal(status.name, "b");
    assert.equal(status.pid, far.pid);
    assert.equal(status.listen, far.address);
    assert.equal(status.state, "running");
    assert.equal(status.counters.apps, 1);
    assert.equal(status.counters.callsServed, 1);
    assert.match(await table("status"), /^b {2}koalad \d.* running\n[\s\S]*RUNTIME/);
  });

  it("apps shows who is attached", async () => {
    const { apps } = await list("/v1/apps", "apps");
    assert.equal(apps.length, 1);
    assert.equal(apps[0]!.name, "kitchen");
    assert.deepEqual(apps[0]!.exports, ["kitchen"]);
    assert.equal(apps[0]!.uid, process.getuid!());
    assert.match(await table("apps"), new RegExp(` kitchen +${apps[0]!.pid} `));
  });

  it("services shows what is served, here and over links", async () => {
    const { services } = await list("/v1/services", "services");
    assert.deepEqual(
      services.map(({ name, service, where, instances }) => [name, service, where, instances]),
      [["kitchen", "test.v1.Kitchen", "local", 1]],
    );
    assert.ok(services[0]!.methods.includes("Echo"));
    const beyond = await list("/v1/services", "services", near);
    assert.deepEqual(
      beyond.services.map(({ name, where, schema }) => [name, where, schema]),
      [["kitchen", "b", services[0]!.schema]],
    );
    assert.match(await table("services", near), /^kitchen +test\.v1\.Kitchen +b +1 /m);
  });

  it("links shows the other daemon", async () => {
    const { links } = await list("/v1/links", "links", near);
    assert.deepEqual(
      links.map(({ direction, state, peer }) => [direction, state, peer]),
      [["outgoing", "up", "b"]],
    );
    assert.ok(links[0]!.bytesOut > 0 && links[0]!.bytesIn > 0);
    assert.match(await table("links", near), / outgoing +up +b /);
    assert.match(await table("links"), / incoming +up +a /);
  });

  it("bindings shows who may call whom", async () => {
    const { bindings } = await list("/v1/bindings", "bindings", near);
    assert.equal(bindings.length, 1);
    const { target, service, endpoints, problem } = bindings[0]!;
    assert.deepEqual([target, service, problem], ["kitchen", "test.v1.Kitchen", ""]);
    assert.equal(endpoints.length, 1);
    assert.match(await table("bindings", near), /^test\[\d+\] +kitchen +test\.v1\.Kitchen /m);
  });

  it("runtimes shows threads, and moves none where there is no other", async () => {
    const answer = await list("/v1/runtimes", "runtimes", near);
    assert.deepEqual(
      answer.runtimes.map(({ index, state, apps }) => [index, state, apps]),
      [[0, "running", 1]],
    );
    const { code, stdout } = await ctl(["runtimes"], near);
    assert.equal(code, 0);
    assert.match(stdout, /^ +0 +running +shared +any +\d+\.\d % +1 /m);
    const [app] = (await list("/v1/apps", "apps", near)).apps;
    const moved = await ctl(["runtimes", "move", String(app!.id), "1"], near);
    assert.deepEqual([moved.code, moved.stdout], [1, ""]);
    assert.match(moved.stderr, /runtime 1/);
  });

  it("call makes a call with the schema that the daemon knows", async () => {
    const dish = { text: "soup", numbers: [1, 2], sides: { a: { serial: "9" } }, data: "AQI=" };
    const args = ["call", "test.v1.Kitchen/Echo"];
    const json = await ctl([...args, "-o", "json", "-d", JSON.stringify(dish)]);
    assert.deepEqual([json.code, json.stderr], [0, ""]);
    assert.deepEqual(JSON.parse(json.stdout), dish);
    const shown = await ctl([...args, "-d", "-", "--target", "kitchen"], far, JSON.stringify(dish));
    assert.equal(shown.code, 0, shown.stderr);
    assert.deepEqual(JSON.parse(shown.stdout), dish);
    assert.match(shown.stderr, /^OK {2}test\.v1\.Kitchen\/Echo at kitchen, [\d.]+ ms\n$/);
  });

  it("call sends metadata and a deadline, and shows trailers", async () => {
    const headers = ["-H", "X-Tenant: blue", "-H", "x-key-bin: AQI="];
    const args = ["call", "test.v1.Kitchen/Context", "--timeout", "15s", ...headers];
    const { code, stdout, stderr } = await ctl(args);
    assert.equal(code, 0, stderr);
    const reply = JSON.parse(stdout);
    assert.deepEqual([reply.method, reply.hasTimeout, reply.entryCount], ["Context", true, 2]);
    assert.ok(reply.timeoutMs > 0 && reply.timeoutMs <= 15_000);
    assert.match(stderr, /^x-tenant: blue\nx-key-bin: AQI=\nOK /);
  });

  it("call says how a call has failed, and exits with 1", async () => {
    const request = '{"status": 5, "message": "no \\u001b[31msuch dish"}';
    const args = ["call", "test.v1.Kitchen/Fail", "-d", request];
    assert.deepEqual(await ctl(args), {
      code: 1,
      stdout: "",
      stderr: "NOT_FOUND  from remote-app\n  no �[31msuch dish\n",
    });
    const json = await ctl([...args, "-o", "json"]);
    assert.equal(json.code, 1);
    const { code, status, origin } = JSON.parse(json.stderr).error;
    assert.deepEqual([code, status, origin], ["ERR_RPC_NOT_FOUND", "NOT_FOUND", "remote-app"]);
    const late = await ctl([
      "call",
      "test.v1.Kitchen/Wait",
      "-d",
      '{"key":"x"}',
      "--timeout",
      "1s",
    ]);
    assert.equal(late.code, 1);
    assert.match(late.stderr, /^DEADLINE_EXCEEDED {2}from /);
  });

  it("call says where the request is wrong, and exits with 2", async () => {
    const data = '{"sides": {"a": {"numbers": [1, "x"]}}}';
    const { code, stdout, stderr } = await ctl(["call", "test.v1.Kitchen/Echo", "-d", data]);
    assert.deepEqual([code, stdout], [2, ""]);
    assert.match(stderr, /\(test\.v1\.Dish\): sides\["a"\]\.numbers: /);
  });

  it("call says what it can't call from here", async () => {
    const beyond = await ctl(["call", "test.v1.Kitchen/Echo"], near);
    assert.equal(beyond.code, 1);
    assert.match(beyond.stderr, /"test\.v1\.Kitchen" is served by b only: links carry no schemas/);
    const nobody = await ctl(["call", "test.v1.Cellar/Fetch"]);
    assert.equal(nobody.code, 1);
    assert.match(nobody.stderr, /nobody serves "test\.v1\.Cellar"/);
    const noName = await ctl(["call", "test.v1.Kitchen/Echo", "--target", "nowhere"]);
    assert.equal(noName.code, 1);
    assert.match(noName.stderr, /^UNAVAILABLE {2}from local-daemon\n/);
  });

  it("exits with 3 when there is no daemon", async () => {
    const args = ["status", "--prefix", `${far.prefix}/none`];
    const { code, stdout, stderr } = await runNode(ctlProgram, args);
    assert.deepEqual([code, stdout], [3, ""]);
    assert.match(stderr, /^koalactl: no daemon at .*\/none\/admin\.sock: start it with /);
  });
});

describe("docs/reference/cli.md", () => {
  it("has the options of koalad, and no other", async () => {
    const page = readFileSync(new URL("../../../docs/reference/cli.md", import.meta.url), "utf8");
    const [, section = ""] = /\n## `koalad`\n([\s\S]*?)\n## /.exec(page) ?? [];
    const described = [...section.matchAll(/^\| (`-.*?) +\|/gm)].map(([, cell]) =>
      cell!.replaceAll("`", ""),
    );
    const { code, stdout } = await runNode(daemonProgram, ["--help"]);
    assert.equal(code, 0);
    const options = [...stdout.matchAll(/^ {2}(--[a-z]+(?: [A-Z]+)?) /gm)].map(
      ([, flags]) => flags,
    );
    assert.deepEqual(
      described.map((flags) => flags.replace(", -h", "")),
      options,
    );
  });
});
