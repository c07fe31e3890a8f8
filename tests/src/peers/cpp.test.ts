/** gRPC for C++, as Debian has it: its clients call the mesh, and the mesh calls its servers. */
import { describe, it } from "node:test";
import { spawnProgram } from "@koala/testing";
import { createFolder } from "../stage/cluster.ts";
import { addressOf, assertClient, assertServer, startEdge } from "./peer-cases.ts";
import { compileCpp, noCppGrpc } from "./peer-tools.ts";

describe("gRPC for C++", { timeout: 170_000, skip: noCppGrpc }, () => {
  it("calls services of the mesh, and is called as one, by its own reflection", async (t) => {
    const program = await compileCpp(createFolder(t));
    await t.test("calls", async (inner) => {
      await assertClient(inner, spawnProgram(program, ["client", await startEdge(inner)]));
    });
    await t.test("is called", async (inner) => {
      await assertServer(inner, await addressOf(inner, spawnProgram(program, ["server"])));
    });
  });
});
