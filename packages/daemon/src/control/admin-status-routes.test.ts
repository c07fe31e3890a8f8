import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { AdminAnswers } from "@koala/protocol";
import { AdminRegistry } from "./admin-registry.ts";
import { createReport, descriptorSet, localService } from "./admin-report-helper.test.ts";
import { type AdminBackend, addStatusRoutes } from "./admin-status-routes.ts";

const backend: AdminBackend = { status: async () => createReport() };

async function ask(
  target: string,
  method = "GET",
  from = backend,
): Promise<{ status: number; body: unknown }> {
  const registry = new AdminRegistry();
  addStatusRoutes(registry, from);
  const peer = { pid: 1, uid: 0, gid: 0 };
  return await registry.answer({ method, target, body: Buffer.alloc(0), peer });
}

/** The body of an answer that says no, as `status code`, and its text. */
async function refused(target: string, method = "GET"): Promise<[string, string]> {
  const { status, body } = await ask(target, method);
  const { code, message } = body as { code: string; message: string };
  return [`${status} ${code}`, message];
}

describe("addStatusRoutes", () => {
  it("answers /v1/status with sums, and without descriptors", async () => {
    const { status, body } = await ask("/v1/status");
    assert.equal(status, 200);
    assert.deepEqual((body as AdminAnswers["/v1/status"]).counters, {
      apps: 4,
      linksUp: 1,
      links: 2,
      bindings: 0,
      openCalls: 4,
      callsMade: 100,
      callsServed: 10,
      linkBytesIn: 200,
      linkBytesOut: 400,
      cpuSeconds: 0.5,
    });
    assert.equal(JSON.stringify(body).includes(descriptorSet), false);
    assert.equal((body as AdminAnswers["/v1/status"]).runtimes[1]?.services[0]?.name, "geo");
  });

  it("answers with what all runtimes host", async () => {
    const apps = (await ask("/v1/apps")).body as AdminAnswers["/v1/apps"];
    assert.deepEqual(
      apps.apps.map((app) => app.id),
      [1, 2, 3, 4],
    );
    const links = (await ask("/v1/links")).body as AdminAnswers["/v1/links"];
    assert.deepEqual(
      links.links.map((link) => link.state),
      ["up", "down"],
    );
    assert.deepEqual((await ask("/v1/bindings")).body, { bindings: [] });
  });

  it("lists services once for each name, version and place, and none of links that are down", async () => {
    const { services } = (await ask("/v1/services")).body as AdminAnswers["/v1/services"];
    assert.deepEqual(
      services.map((row) => `${row.name} ${row.schema} ${row.where} ${row.instances}`),
      ["geo aa local 2", "geo aa host-b 3", "geo bb host-b 3", "mail cc host-b 1"],
    );
  });

  it("gives each version of a schema with the names it is served under", async () => {
    const report = createReport();
    report.runtimes[1]!.services.push(localService("geo-test"), localService("old", "00"));
    const { body } = await ask("/v1/schema?service=geo.v1.Geo", "GET", {
      status: async () => report,
    });
    const methods = ["Nearest", "Lookup"];
    assert.deepEqual(body, {
      service: "geo.v1.Geo",
      versions: [
        { schema: "aa", names: ["geo", "geo-test"], methods, descriptorSet },
        { schema: "00", names: ["old"], methods, descriptorSet },
      ],
    });
  });

  it("says where a service is that it has no schema of", async () => {
    const [code, text] = await refused("/v1/schema?service=mail.v1.Mail");
    assert.equal(code, "404 ERR_ADMIN_SERVICE");
    assert.match(text, /served by host-b only/);
    assert.match((await refused("/v1/schema?service=x"))[1], /nobody serves "x"/);
  });

  it("refuses with what to do instead", async () => {
    const [code, text] = await refused("/v2");
    assert.equal(code, "404 ERR_ADMIN_PATH");
    const paths = ["status", "apps", "services", "links", "bindings", "schema"];
    for (const path of paths) assert.ok(text.includes(`/v1/${path}`), path);
    assert.equal((await refused("//[/"))[0], "404 ERR_ADMIN_PATH");
    assert.equal((await refused("/v1/apps", "DELETE"))[0], "405 ERR_ADMIN_METHOD");
    assert.equal((await refused("/v1/schema"))[0], "400 ERR_ADMIN_QUERY");
  });

  it("passes on why the daemon can't answer", async () => {
    const status = () => Promise.reject(new Error("runtime 0 does not answer"));
    const answer = await ask("/v1/status", "GET", { status });
    assert.equal(answer.status, 503);
    assert.match(JSON.stringify(answer.body), /ERR_ADMIN_STATUS.*runtime 0 does not answer/);
  });
});
