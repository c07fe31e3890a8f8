/** Rules of the policy `acl` over calls between real apps. */
import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { Status } from "@koala/mrpc";
import { Kitchen } from "../gen/test/v1/kitchen_pb.ts";
import { AdminError, askAdmin, postAdmin } from "../stage/admin.ts";
import { startDaemon } from "../stage/cluster.ts";
import { connectTo, startKitchen, startTopology } from "../stage/kitchen.ts";
import { modulesConfig, startPolicyStage } from "../stage/policy-stage.ts";
import { rejection } from "../stage/rejection.ts";

/** The budget is a wall clock's, and a crowded machine may stop a thread for longer than the default. */
const attachment = '[[policy]]\nuse = "acl"\nname = "access"\nbudget = "10s"\n';

const rules = `
[[policy.config.rules]]
name = "no-fish"
effect = "deny"
method = "Echo"
when = "request.text.contains('fish') || request.sides.exists(k, request.sides[k].text == 'fish')"
message = "no fish today"

[[policy.config.rules]]
name = "large"
effect = "deny"
method = "Echo"
when = "request.serial > 9007199254740993 && !(caller.app in ['chef'])"
status = "RESOURCE_EXHAUSTED"

[[policy.config.rules]]
name = "no-header"
effect = "deny"
when = "'x-deny' in metadata && metadata['x-deny'] == method"
`;

describe("acl", { timeout: 120_000 }, () => {
  for (const hosts of [1, 2]) {
    for (const side of ["client", "server"]) {
      it(`denies by typed fields, ${hosts} host(s), at the ${side}'s side`, async (test) => {
        const config = `${attachment}match = { side = "${side}" }\n[policy.config]\ndefault = "allow"\n${rules}`;
        const { client, server } = await startTopology(test, hosts, config);
        await startKitchen(test, server);
        const mesh = await connectTo(test, client, { name: "waiter" });
        const kitchen = mesh.client(Kitchen, "kitchen");
        assert.equal((await kitchen.echo({ text: "soup", serial: 1n })).text, "soup");

        const fish = await rejection(kitchen.echo({ text: "a fish" }));
        assert.deepEqual([fish.status, fish.origin], [Status.PERMISSION_DENIED, "policy"]);
        assert.match(
          fish.reason,
          /no fish today \(denied by policy access, rule no-fish; request \S+\)$/,
        );
        const within = { sides: { left: { text: "bread" }, right: { text: "fish" } } };
        assert.match((await rejection(kitchen.echo(within))).reason, /rule no-fish/);

        await kitchen.echo({ serial: 9007199254740993n });
        const large = { serial: 9007199254740994n };
        assert.equal((await rejection(kitchen.echo(large))).status, Status.RESOURCE_EXHAUSTED);
        const chef = await connectTo(test, client, { name: "chef" });
        await chef.client(Kitchen, "kitchen").echo(large);

        const metadata: [string, string][] = [["x-deny", "Who"]];
        assert.match((await rejection(kitchen.who({}, { metadata }))).reason, /rule no-header/);
        await kitchen.echo({}, { metadata });
      });
    }
  }

  it("counts in shadow mode, and is enforced by a change while it runs", async (test) => {
    const config = `${attachment}match = { side = "client" }\n[policy.config]\nmode = "shadow"\ndefault = "allow"\n${rules}`;
    const { kitchen, policies, post } = await startPolicyStage(test, { config });
    await kitchen.echo({ text: "fish" });
    await kitchen.echo({ text: "soup" });
    const counters = (await policies())[0]!.counters;
    assert.deepEqual([counters["shadow_denied"], counters["allowed"]], [1, 1]);
    await post("/v1/policies/set", { name: "access", merge: { mode: "enforce" } });
    assert.match((await rejection(kitchen.echo({ text: "fish" }))).reason, /rule no-fish/);
  });

  it("is refused with the place of what is wrong, and the old rules stay", async (test) => {
    const begin = `${attachment}match = { side = "client" }\n[policy.config]\ndefault = "allow"\n${rules}`;
    const stage = await startPolicyStage(test, { config: begin });
    const { kitchen, post, daemon } = stage;
    await kitchen.echo({});
    const refused = async (when: string, more = ""): Promise<string> => {
      const rule = `[[policy.config.rules]]\nname = "new"\neffect = "deny"\n${more}when = "${when}"\n`;
      const wrong = `[[policy]]\nuse = "acl"\nname = "wrong"\n[policy.config]\ndefault = "allow"\n${rule}`;
      stage.configure(wrong);
      const asked = postAdmin(daemon.prefix, "/v1/config/apply", {});
      const error = await asked.then(
        () => assert.fail("it was applied"),
        (reason: unknown) => reason,
      );
      assert.ok(error instanceof AdminError, String(error));
      return error.message;
    };
    assert.match(await refused("caller.nme == 'x'"), /koala\.toml:\d+:\d+.*caller has no field/s);
    const unknown = await refused("request.txt == 'x'", 'method = "Echo"\n');
    assert.match(unknown, /test\.v1\.Dish has no field "txt"/);
    assert.match(await refused("request.text == 1", 'method = "Echo"\n'), /string and int/);

    const file = join(daemon.prefix, "rules.toml");
    writeFileSync(file, '[[rule]]\nname = "f"\neffect = "maybe"\n');
    const attach = { policy: { use: "acl", config: { default: "allow", file } } };
    await assert.rejects(post("/v1/policies/attach", attach), /rules\.toml:1: rule 1: effect/);
    assert.match((await rejection(kitchen.echo({ text: "fish" }))).reason, /rule no-fish/);
  });

  it("reads rules of a file, again when koala.toml is applied", async (test) => {
    const stage = await startPolicyStage(test);
    const { kitchen, post, daemon } = stage;
    const file = join(daemon.prefix, "rules.toml");
    const rule = (text: string): string =>
      `[[rule]]\nname = "${text}"\neffect = "deny"\nmethod = "Echo"\nwhen = "request.text == '${text}'"\n`;
    writeFileSync(file, rule("fish"));
    const config = { default: "allow", file };
    const match = { side: "client" as const };
    await post("/v1/policies/attach", { policy: { use: "acl", match, budget: "10s", config } });
    assert.match((await rejection(kitchen.echo({ text: "fish" }))).reason, /rule fish/);
    writeFileSync(file, rule("soup"));
    const { changes } = await postAdmin(daemon.prefix, "/v1/config/apply", {});
    assert.deepEqual(changes, [
      { kind: "reconfigured", policy: "acl", detail: "a file that config names" },
    ]);
    assert.match((await rejection(kitchen.echo({ text: "soup" }))).reason, /rule soup/);
    await kitchen.echo({ text: "fish" });
  });

  it("goes back to the rules that a revision had, in all runtimes and after a restart", async (test) => {
    const stage = await startPolicyStage(test, { runtimes: 2 });
    const { kitchen, post, daemon } = stage;
    const file = join(daemon.prefix, "rules.toml");
    const rule = (text: string): string =>
      `[[rule]]\nname = "${text}"\neffect = "deny"\nmethod = "Echo"\nwhen = "request.text == '${text}'"\n`;
    /** Calls that are denied, of apps on both runtimes. */
    const denied = async (from = [kitchen]): Promise<string[]> => {
      const names: string[] = [];
      for (const [index, app] of from.entries()) {
        for (const text of ["fish", "soup"]) {
          const answer = app.echo({ text }).then(
            () => "",
            () => `${index} ${text}`,
          );
          names.push(await answer);
        }
      }
      return names.filter((name) => name !== "");
    };
    const other = (await connectTo(test, daemon)).client(Kitchen, "kitchen");
    const both = [kitchen, other];

    writeFileSync(file, rule("fish"));
    const config = { default: "allow", file };
    const match = { side: "client" as const };
    const attached = await post("/v1/policies/attach", {
      policy: { use: "acl", match, budget: "10s", config },
    });
    writeFileSync(file, rule("soup"));
    await post("/v1/policies/attach", { policy: { use: "null" } });
    assert.deepEqual(await denied(both), ["0 fish", "1 fish"], "other changes read no files");
    const applied = await post("/v1/config/apply", {});
    assert.deepEqual(await denied(both), ["0 soup", "1 soup"]);

    const diff = await askAdmin(daemon.prefix, "/v1/config/diff", "");
    assert.equal(diff.to, applied.revision);
    assert.ok(diff.lines.some((line) => line.startsWith(`+# ${file}: 5 lines, sha256 `)));
    assert.ok(diff.lines.includes('-name = "fish"') && diff.lines.includes('+name = "soup"'));

    await post("/v1/config/rollback", { revision: attached.revision });
    assert.deepEqual(await denied(both), ["0 fish", "1 fish"]);
    await post("/v1/policies/attach", { policy: { use: "null", name: "null-2" } });
    assert.deepEqual(await denied(both), ["0 fish", "1 fish"], "nor do they end a rollback");

    await daemon.kill();
    const again = await startDaemon(test, { prefix: daemon.prefix, config: modulesConfig });
    await startKitchen(test, again);
    const after = (await connectTo(test, again)).client(Kitchen, "kitchen");
    assert.deepEqual(await denied([after]), ["0 fish"], "the file has not changed since");
    await post("/v1/config/apply", {});
    assert.deepEqual(await denied([after]), ["0 soup"]);
    await again.kill();

    writeFileSync(file, rule("bread"));
    const third = await startDaemon(test, { prefix: daemon.prefix, config: modulesConfig });
    await startKitchen(test, third);
    const last = (await connectTo(test, third)).client(Kitchen, "kitchen");
    assert.deepEqual(await denied([last]), [], "the file has changed, so it counts");
    assert.match((await rejection(last.echo({ text: "bread" }))).reason, /rule bread/);
    const { revisions } = await askAdmin(daemon.prefix, "/v1/config/history");
    assert.equal(revisions[0]?.summary, "a file of a policy has changed");
  });
});
