import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { KoalaError } from "@koala/interface";
import { z } from "zod";
import {
  type AdminAnswer,
  AdminRefused,
  AdminRegistry,
  type AdminRequest,
} from "./admin-registry.ts";

const peer = { pid: 7, uid: 1000, gid: 1000 };
const schema = z.strictObject({ name: z.string(), order: z.number().optional() });

/** A registry with one route to post to, which fails as it is told. */
function create(fail?: () => never): {
  ask: (method: string, target: string, body?: string | Buffer) => Promise<AdminAnswer>;
  got: AdminRequest<z.infer<typeof schema>>[];
} {
  const registry = new AdminRegistry();
  const got: AdminRequest<z.infer<typeof schema>>[] = [];
  registry.add({
    method: "POST",
    path: "/v1/things",
    body: schema,
    query: ["force"],
    handle: (request) => {
      got.push(request);
      fail?.();
      return { made: request.body.name };
    },
  });
  registry.add({ method: "GET", path: "/v1/things", handle: () => ({ things: [] }) });
  return {
    got,
    ask: (method, target, body = "") =>
      registry.answer({ method, target, body: Buffer.from(body), peer }),
  };
}

/** Status, code and text of an answer that says no. */
function reason({ status, body }: AdminAnswer): string {
  const { code, message } = body as { code: string; message: string };
  return `${status} ${code} ${message}`;
}

describe("AdminRegistry", () => {
  it("gives the handler the checked body, the query, and who asks", async () => {
    const { ask, got } = create();
    const answer = await ask("POST", "/v1/things?force=1", '{"name":"a"}');
    assert.deepEqual(answer, { status: 200, body: { made: "a" } });
    assert.deepEqual(got[0]!.body, { name: "a" });
    assert.equal(got[0]!.query.get("force"), "1");
    assert.deepEqual(got[0]!.peer, peer);
  });

  it("refuses a body that does not fit, and says what is wrong, before anything is done", async () => {
    const { ask, got } = create();
    const wrong: [string | Buffer, RegExp][] = [
      ["", /^400 ERR_ADMIN_BODY POST \/v1\/things: the body is wrong: name: /],
      ["{", /^400 ERR_ADMIN_BODY .* is not JSON: /],
      [Buffer.from([0x22, 0xff, 0x22]), /^400 ERR_ADMIN_BODY .* is not JSON: /],
      ["[]", /^400 ERR_ADMIN_BODY .* the body is wrong: /],
      ['{"name":1,"order":"x"}', /name: .*; order: /],
      ['{"name":"a","nmae":"b"}', /"nmae"/],
    ];
    for (const [body, pattern] of wrong) {
      assert.match(reason(await ask("POST", "/v1/things", body)), pattern);
    }
    assert.equal(got.length, 0);
    assert.match(reason(await ask("GET", "/v1/things", "{}")), /^400 ERR_ADMIN_BODY .*no body/);
  });

  it("knows methods and parameters of a path", async () => {
    const { ask } = create();
    const put = await ask("PUT", "/v1/things");
    assert.match(reason(put), /^405 ERR_ADMIN_METHOD .*use POST, GET$/);
    assert.equal(put.allow, "POST, GET");
    assert.match(
      reason(await ask("POST", "/v1/things?froce=1", '{"name":"a"}')),
      /^400 ERR_ADMIN_QUERY .*"froce"; it knows: force$/,
    );
    assert.match(reason(await ask("GET", "/v1/things?x")), /it knows: none$/);
    assert.match(reason(await ask("GET", "/v1/none")), /^404 ERR_ADMIN_PATH .*: \/v1\/things$/);
  });

  it("turns what a handler throws into a refusal", async () => {
    const failing = async (error: unknown): Promise<AdminAnswer> => {
      const { ask } = create(() => {
        throw error;
      });
      return await ask("POST", "/v1/things", '{"name":"a"}');
    };
    const refused = new AdminRefused(404, "ERR_THING_NAME", "there is no a");
    assert.equal(reason(await failing(refused)), "404 ERR_THING_NAME there is no a");
    const known = new KoalaError("ERR_THING_BROKEN", "a is broken");
    assert.equal(reason(await failing(known)), "422 ERR_THING_BROKEN a is broken");
    const bug = new TypeError("a.b is undefined");
    const answer = await failing(bug);
    assert.match(reason(answer), /^500 ERR_ADMIN_FAILED .*a\.b is undefined; look into/);
    assert.equal(answer.bug, bug);
  });

  it("has no two routes at one place", () => {
    const registry = new AdminRegistry();
    const route = { method: "GET", path: "/v1/a", handle: () => ({}) } as const;
    registry.add(route);
    assert.throws(() => registry.add(route), /two routes at GET \/v1\/a/);
  });
});
