import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { AdminAnswers, ServiceStatus } from "@koala/protocol";
import { parseMetadata } from "./call.ts";
import { findTarget, parseMethod } from "./call-target.ts";
import { type Answers, ctl, schemaAnswer, startFake } from "./fake-daemon-helper.test.ts";

const schemaPath = "/v1/schema?service=test.v1.Routes";

function services(...names: string[]): AdminAnswers["/v1/services"] {
  const row = {
    service: "test.v1.Routes",
    schema: "aa",
    where: "local",
    instances: 1,
    methods: [],
  };
  return { services: names.map((name): ServiceStatus => ({ name, ...row })) };
}

function answers(...names: string[]): Answers {
  return {
    [schemaPath]: { body: schemaAnswer(...names) },
    "/v1/services": { body: services(...names) },
  };
}

describe("findTarget", { timeout: 30_000 }, () => {
  it("finds the only name, the descriptor and the method", async (test) => {
    const prefix = await startFake(test, answers("routes"));
    for (const method of ["test.v1.Routes/Find", "/test.v1.Routes/Find", "test.v1.Routes/find"]) {
      const target = await findTarget(prefix, method, undefined, 0);
      assert.equal(target.name, "routes");
      assert.equal(target.method.name, "Find");
      assert.equal(target.service.typeName, "test.v1.Routes");
    }
  });

  it("asks for a name when there are several, and takes the one that is given", async (test) => {
    const prefix = await startFake(test, answers("routes", "routes-test"));
    const args = ["call", "test.v1.Routes/Find", "--prefix", prefix];
    const { code, stderr } = await ctl(args);
    assert.equal(code, 2);
    assert.match(stderr, /\(routes, routes-test\): say which, .* --target routes/);
    const target = await findTarget(prefix, "test.v1.Routes/Find", "routes-test", 0);
    assert.equal(target.name, "routes-test");
  });

  it("takes the version of the name that is called", async (test) => {
    const { service, versions } = schemaAnswer("routes");
    const broken = { ...versions[0]!, names: ["old"], descriptorSet: "AAAA" };
    const prefix = await startFake(test, {
      ...answers("routes"),
      [schemaPath]: { body: { service, versions: [broken, ...versions] } },
    });
    const target = await findTarget(prefix, "test.v1.Routes/Find", "routes", 0);
    assert.equal(target.method.name, "Find");
    const ran = await ctl(["call", "test.v1.Routes/Find", "--target", "old", "--prefix", prefix]);
    assert.equal(ran.code, 1);
    assert.match(ran.stderr, /schema of test\.v1\.Routes can't be used/);
  });

  it("says which methods there are, and that it makes unary calls only", async (test) => {
    const prefix = await startFake(test, answers("routes"));
    const missing = await ctl(["call", "test.v1.Routes/Fnd", "--prefix", prefix]);
    assert.equal(missing.code, 2);
    assert.match(missing.stderr, /has no method Fnd; it has: Find, Watch/);
    const stream = await ctl(["call", "test.v1.Routes/Watch", "--prefix", prefix]);
    assert.equal(stream.code, 2);
    assert.match(stream.stderr, /is a stream/);
  });

  it("passes on why the daemon has no schema", async (test) => {
    const message = '"test.v1.Routes" is served by host-b only: links carry no schemas';
    const body = { code: "ERR_ADMIN_SERVICE", message };
    const prefix = await startFake(test, { [schemaPath]: { status: 404, body } });
    const { code, stderr } = await ctl(["call", "test.v1.Routes/Find", "--prefix", prefix]);
    assert.equal(code, 1);
    assert.ok(stderr.includes(message));
  });

  it("waits for a service if told to, and as long as told", async (test) => {
    const late: Record<string, Answers[string]> = {
      [schemaPath]: {
        status: 404,
        body: { code: "ERR_ADMIN_SERVICE", message: "nobody serves it" },
      },
      "/v1/services": { body: services("routes") },
    };
    const prefix = await startFake(test, late);
    await assert.rejects(
      findTarget(prefix, "test.v1.Routes/Find", undefined, 250),
      /nobody serves it/,
    );
    const found = findTarget(prefix, "test.v1.Routes/Find", undefined, 20_000);
    late[schemaPath] = { body: schemaAnswer("routes") };
    assert.equal((await found).name, "routes");
  });
});

describe("koalactl call", { timeout: 30_000 }, () => {
  it("checks the request before it calls", async (test) => {
    const prefix = await startFake(test, answers("routes"));
    const args = ["call", "test.v1.Routes/Find", "--prefix", prefix];
    const wrong = await ctl([...args, "-d", '{"stops":[{"lat":true}]}']);
    assert.equal(wrong.code, 2);
    assert.match(wrong.stderr, /stops\[0\]\.lat: /);
    const noFile = await ctl([...args, "-d", "@/none/such"]);
    assert.equal(noFile.code, 2);
    assert.match(noFile.stderr, /can't read the request from \/none\/such/);
    for (const flags of [
      ["--timeout", "5"],
      ["-H", "no colon"],
      ["-H", "a b: c"],
    ]) {
      assert.equal((await ctl([...args, ...flags])).code, 2, flags.join(" "));
    }
  });

  it("exits with 3 when the daemon's app socket is not there", async (test) => {
    const prefix = await startFake(test, answers("routes"));
    const args = ["call", "test.v1.Routes/Find", "--prefix", prefix, "--timeout", "100ms"];
    const { code, stderr } = await ctl([...args, "-o", "json"]);
    assert.equal(code, 3);
    assert.equal(JSON.parse(stderr).error.code, "ERR_CONNECT_NO_DAEMON");
  });
});

describe("parseMethod", () => {
  it("refuses what is no SERVICE/Method", () => {
    for (const text of ["", "geo", "a/b/c", "a b/c", "/"]) {
      assert.throws(() => parseMethod(text), /expected SERVICE\/Method/, text);
    }
  });
});

describe("parseMetadata", () => {
  it("takes text, and bytes for keys that end in -bin", () => {
    assert.deepEqual(parseMetadata("X-Tenant:  a:b "), ["x-tenant", "a:b"]);
    assert.deepEqual(parseMetadata("t-bin: AQI="), ["t-bin", new Uint8Array([1, 2])]);
    assert.throws(() => parseMetadata("t-bin: ?"), /base64/);
  });
});
