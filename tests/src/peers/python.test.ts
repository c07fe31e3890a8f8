/** Python's grpcio, as Debian has it: its clients call the mesh, and the mesh calls its servers. */
import { describe, it } from "node:test";
import { spawnProgram } from "@koala/testing";
import { createFolder } from "../stage/cluster.ts";
import { addressOf, assertClient, assertServer, startEdge } from "./peer-cases.ts";
import {
  generatePython,
  noPythonGrpc,
  peerSource,
  python,
  writeDescriptors,
} from "./peer-tools.ts";

describe("Python's grpcio", { timeout: 170_000, skip: noPythonGrpc }, () => {
  it("calls services of the mesh", async (t) => {
    const env = await generatePython(createFolder(t));
    const address = await startEdge(t);
    const args = [peerSource("interop_client.py"), address];
    await assertClient(t, spawnProgram(python, args, { env }));
  });

  it("is called as a service of the mesh, by descriptors from a file", async (t) => {
    const folder = createFolder(t);
    const env = await generatePython(folder);
    const server = spawnProgram(python, [peerSource("interop_server.py")], { env });
    await assertServer(t, await addressOf(t, server), await writeDescriptors(folder));
  });
});
