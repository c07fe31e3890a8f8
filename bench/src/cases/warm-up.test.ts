import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { RunCommand } from "../load/load-command.ts";
import { warmUp } from "./warm-up.ts";

const command = { op: "run", method: "echo", bytes: 64, inFlight: 1 } as const;
const plan = { sliceSeconds: 1, slicesMax: 10 };

/** How many slices a system with these rates is given. */
async function slicesFor(rates: readonly number[]): Promise<number> {
  const commands: RunCommand[] = [];
  await warmUp(
    {
      run: async (given) => {
        commands.push(given);
        return { calls: rates[commands.length - 1] ?? 0, seconds: 1 };
      },
    },
    command,
    plan,
  );
  assert.ok(commands.every(({ keep, seconds }) => !keep && seconds === plan.sliceSeconds));
  return commands.length;
}

describe("warmUp", () => {
  it("ends when the rate no longer rises", async () => {
    assert.equal(await slicesFor([100, 101, 99, 100, 100]), 4);
  });

  it("goes on while it rises, over slices that were disturbed", async () => {
    assert.equal(await slicesFor([100, 50, 200, 150, 400, 400, 400, 400]), 8);
  });

  it("has an end", async () => {
    assert.equal(await slicesFor(Array.from({ length: 99 }, (_, i) => 2 ** i)), plan.slicesMax);
  });
});
