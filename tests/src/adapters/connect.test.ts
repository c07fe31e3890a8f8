/** Clients and routers of connect-es over Koala, beside the same over connect-es itself. */
import assert from "node:assert/strict";
import { describe, it, type TestContext } from "node:test";
import { createConnectRouter, createRouterTransport } from "@connectrpc/connect";
import { koalaTransport, serveRouter } from "@koala/connect";
import { connect, loopback, type Mesh } from "@koala/mrpc";
import { atEnd, startCluster, startDaemon } from "../stage/cluster.ts";
import type { Carry } from "./connect-scene.ts";
import { scenes } from "./connect-scenes.ts";

/** In one process, by connect-es alone: what the others are compared with. */
const original: Carry = async (routes, { router, interceptors, defaultTimeoutMs } = {}) =>
  createRouterTransport(routes, {
    ...(router !== undefined && { router }),
    transport: {
      ...(interceptors !== undefined && { interceptors }),
      ...(defaultTimeoutMs !== undefined && { defaultTimeoutMs }),
    },
  });

function over(mesh: Mesh, serverMesh: Mesh): Carry {
  let count = 0;
  return async (routes, { router, ...transport } = {}) => {
    const name = `river ${++count}`;
    await serveRouter(serverMesh, { name, ...router }, routes);
    return koalaTransport(name, { mesh, waitForReady: true, ...transport });
  };
}

async function connected(t: TestContext, prefix: string): Promise<Mesh> {
  const mesh = await connect({ prefix });
  atEnd(t, () => mesh.close({ graceMs: 0 }));
  return mesh;
}

/** The router is there before it is served. */
function overReady(mesh: Mesh, serverMesh: Mesh): Carry {
  let count = 0;
  return async (routes, { router: options, ...transport } = {}) => {
    const name = `ready ${++count}`;
    const router = createConnectRouter(options);
    routes(router);
    await serveRouter(serverMesh, { name }, router);
    return koalaTransport(name, { mesh, waitForReady: true, ...transport });
  };
}

const ways: Readonly<Record<string, (t: TestContext) => Promise<Carry>>> = {
  "in one process": async () => {
    const mesh = loopback(undefined, { log: () => {} });
    return over(mesh, mesh);
  },
  "with a router that was there before": async () => {
    const mesh = loopback(undefined, { log: () => {} });
    return overReady(mesh, mesh);
  },
  "on one host": async (t) => {
    const { prefix } = await startDaemon(t);
    return over(await connected(t, prefix), await connected(t, prefix));
  },
  "across a link": async (t) => {
    const { a, b } = await startCluster(t);
    return over(await connected(t, a.prefix), await connected(t, b.prefix));
  },
};

for (const [way, open] of Object.entries(ways)) {
  describe(`connect-es ${way}`, () => {
    it("is as it is without Koala", { timeout: 120_000 }, async (t) => {
      const carry = await open(t);
      for (const [name, scene] of Object.entries(scenes)) {
        await t.test(name, async () => {
          assert.deepEqual(await scene(carry), await scene(original));
        });
      }
    });
  });
}
