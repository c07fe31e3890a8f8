import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { RunCommand } from "../load/load-command.ts";
import { Stage } from "../processes/stage.ts";
import { loadSystems } from "../systems/catalog.ts";
import type { System } from "../systems/system.ts";
import { findPeer } from "./find-peer.ts";

const others = ["nice-grpc", "connect-node", "koala-edges"];
/** Those with a rule that turns strangers down. */
const strict = ["grpc-js-envoy-lua", "grpc-js-envoy-rbac", "grpc-js-envoy-chain"];

const systems = loadSystems().filter(
  ({ name, needs = [] }) => needs.length > 0 || others.includes(name),
);

async function missing({ needs = [] }: System): Promise<string | undefined> {
  for (const need of needs) {
    const found = await findPeer(need).find();
    if ("missing" in found) return found.missing;
  }
  return undefined;
}

describe("systems of others' software", () => {
  for (const system of systems) {
    it(`${system.name} answers small and large calls`, { timeout: 300_000 }, async (t) => {
      const reason = await missing(system);
      if (reason !== undefined) return t.skip(reason);
      const stage = new Stage();
      t.after(() => stage.close());
      const { client } = await system.start(stage, {
        method: "echo",
        bytes: 1 << 20,
        inFlight: 16,
      });
      const echo: RunCommand = {
        ...{ op: "run", method: "echo", bytes: 64, text: "friend" },
        ...{ inFlight: 2, seconds: 0.1, keep: true },
      };
      assert.ok((await client.run(echo)).calls > 0);
      const put = { ...echo, method: "put", bytes: 1 << 20, inFlight: 16 } as const;
      assert.ok((await client.run(put)).calls > 0);
      if (!strict.includes(system.name)) return;
      await assert.rejects(client.run({ ...echo, text: "stranger" }));
      // grpc-js prints the status as its number: PERMISSION_DENIED.
      assert.match(client.tail(), /code: 7,/);
    });
  }
});
