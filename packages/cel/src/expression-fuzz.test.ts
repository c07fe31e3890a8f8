import { describe, it } from "node:test";
import { runRounds } from "@koala/testing";
import { round } from "./expression.fuzz.ts";

describe("random expressions", () => {
  it("mean what they mean elsewhere", async () => {
    await runRounds(round, 1, 80);
  });
});
