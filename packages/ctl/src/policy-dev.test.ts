import assert from "node:assert/strict";
import { renameSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { join } from "node:path";
import { describe, it, type TestContext } from "node:test";
import type { AttachPolicyRequest, ChangeAnswer, PolicyChange } from "@koala/protocol";
import { createPrefix, ctl, type Ran } from "./fake-daemon-helper.test.ts";

interface Fake {
  prefix: string;
  file: string;
  /** `attach`, `upgrade` … in the order in which they came. */
  asked: string[];
  /** What the next change is refused with. */
  refuse: { code: string; message: string } | undefined;
  attached: string | undefined;
}

/** A daemon that attaches, upgrades and detaches one policy, or refuses as it is told. */
async function startFake(test: TestContext): Promise<Fake> {
  const prefix = createPrefix(test);
  const file = join(prefix, "mine.ts");
  writeFileSync(file, "export default 1");
  const fake: Fake = { prefix, file, asked: [], refuse: undefined, attached: undefined };
  const change = (kind: PolicyChange["kind"], detail: string): ChangeAnswer => ({
    dryRun: false,
    revision: 1,
    changes: [{ kind, policy: "mine", detail }],
    runtimes: [
      { runtime: 0, prepareMicros: 1, pauseMicros: 42, bindings: 1, openCalls: 0, moved: 1 },
    ],
    needsRestart: [],
    notes: [],
  });
  const server = createServer(async (request, response) => {
    let text = "";
    for await (const chunk of request) text += String(chunk);
    response.setHeader("connection", "close");
    const path = request.url ?? "";
    const what = path.slice(path.lastIndexOf("/") + 1);
    if (path === "/v1/policies") {
      const policies = fake.attached === undefined ? [] : [{ name: "mine", use: fake.attached }];
      response.end(JSON.stringify({ revision: 1, policies }));
      return;
    }
    if (path.startsWith("/v1/events")) {
      const fields = { policy: "mine", reason: "it threw" };
      const event = { seq: 1, time: "", topic: "policy", name: "failed", fields };
      const other = { ...event, fields: { policy: "other", reason: "it threw, too" } };
      response.write(`${JSON.stringify(other)}\n${JSON.stringify(event)}\n`);
      return;
    }
    fake.asked.push(what);
    const { refuse } = fake;
    if (refuse !== undefined && what !== "detach") {
      response.writeHead(422);
      response.end(JSON.stringify(refuse));
      return;
    }
    if (what === "attach") {
      fake.attached = (JSON.parse(text) as AttachPolicyRequest).policy.use;
      response.end(JSON.stringify(change("attached", "order 10")));
    } else if (what === "upgrade") {
      response.end(JSON.stringify(change("upgraded", "a → b")));
    } else {
      fake.attached = undefined;
      response.end(JSON.stringify(change("detached", "")));
    }
  });
  await new Promise<void>((resolve) => server.listen(join(prefix, "admin.sock"), resolve));
  test.after(() => {
    server.close();
    server.closeAllConnections();
  });
  return fake;
}

/**
 * Runs `policy dev`. Each step is done once the output since the step before matches; when it matches
 * `end`, the command is interrupted.
 */
async function develop(
  fake: Fake,
  steps: readonly (readonly [after: RegExp, step: () => void])[],
  end: RegExp,
): Promise<Ran> {
  const controller = new AbortController();
  const left = [...steps, [end, () => controller.abort()] as const];
  let output = "";
  return await ctl(["policy", "dev", fake.file, "--prefix", fake.prefix], {
    interrupted: controller.signal,
    onOutput: (text) => {
      output += text;
      const next = left[0];
      if (next === undefined || !next[0].test(output)) return;
      left.shift();
      output = "";
      // Not in the middle of what it is doing.
      setImmediate(next[1]);
    },
  });
}

describe("koalactl policy dev", { timeout: 60_000 }, () => {
  it("attaches, upgrades on each change, goes on after an error, and detaches", async (test) => {
    const fake = await startFake(test);
    const { code, stdout, stderr } = await develop(
      fake,
      [
        [/watching/, () => writeFileSync(fake.file, "export default 2")],
        [
          /upgraded/,
          () => {
            fake.refuse = { code: "ERR_MODULE_SYNTAX", message: "/x/mine.ts:3:14: unexpected" };
            writeFileSync(fake.file, "export default {");
          },
        ],
        [
          /mine\.ts:3:14: unexpected/,
          () => {
            fake.refuse = undefined;
            // As editors do it.
            writeFileSync(`${fake.file}~`, "export default 3");
            renameSync(`${fake.file}~`, fake.file);
          },
        ],
        [/upgraded/, () => writeFileSync(join(fake.prefix, "limits.ts"), "a file that it imports")],
      ],
      /upgraded/,
    );
    assert.equal(code, 0, stderr);
    assert.deepEqual(
      fake.asked.filter((what, i, all) => what !== all[i - 1]),
      ["attach", "upgrade", "detach"],
    );
    assert.equal(fake.asked[0], "attach");
    assert.ok(fake.asked.length >= 6, fake.asked.join());
    assert.match(
      stdout,
      /^attached mine {2}order 10 {2}pause 42 µs\nupgraded mine {2}a → b {2}pause 42 µs\n/,
    );
    assert.match(stdout, /detached mine {2}pause 42 µs\n$/);
    assert.match(stderr, /koalactl: \/x\/mine\.ts:3:14: unexpected\n/);
    assert.match(stderr, /^mine failed: reason=it threw$/m);
    assert.doesNotMatch(stderr, /too/);
  });

  it("waits for the file to become right before it attaches it", async (test) => {
    const fake = await startFake(test);
    fake.refuse = { code: "ERR_MODULE_LOAD", message: "/x/mine.ts:1:1: threw" };
    const { code, stdout } = await develop(
      fake,
      [
        [
          /watching/,
          () => {
            fake.refuse = undefined;
            writeFileSync(fake.file, "export default 2");
          },
        ],
      ],
      /attached mine/,
    );
    assert.equal(code, 0);
    assert.deepEqual(
      fake.asked.filter((what) => what !== "upgrade"),
      ["attach", "attach", "detach"],
    );
    assert.match(stdout, /^attached mine/);
  });

  it("ends at once when the folder is not allowed", async (test) => {
    const fake = await startFake(test);
    const message = "code at /x may not be loaded: add its folder to directories in [modules]";
    fake.refuse = { code: "ERR_MODULE_DIRECTORY", message };
    const { code, stderr } = await ctl(["policy", "dev", fake.file, "--prefix", fake.prefix]);
    assert.deepEqual([code, stderr], [1, `koalactl: ${message}\n`]);
    assert.deepEqual(fake.asked, ["attach"]);
  });

  it("goes on with what a run that was killed has left, and with nothing else", async (test) => {
    const fake = await startFake(test);
    fake.attached = fake.file;
    const { code, stderr } = await develop(fake, [], /watching/);
    assert.equal(code, 0, stderr);
    assert.deepEqual(fake.asked, ["upgrade", "detach"]);
    assert.match(stderr, /attached already, going on/);
    fake.attached = "acl";
    const other = await ctl(["policy", "dev", fake.file, "--prefix", fake.prefix]);
    assert.equal(other.code, 2);
    assert.match(other.stderr, /choose another --name/);
  });

  it("detaches also when the file is gone", async (test) => {
    const fake = await startFake(test);
    const { code } = await develop(
      fake,
      [
        [
          /watching/,
          () => {
            fake.refuse = { code: "ERR_MODULE_MISSING", message: "there is no mine.ts" };
            rmSync(fake.file);
          },
        ],
      ],
      /there is no mine\.ts/,
    );
    assert.equal(code, 0);
    assert.equal(fake.asked.at(-1), "detach");
  });
});
