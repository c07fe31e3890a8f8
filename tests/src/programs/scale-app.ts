/** Attaches as often as its argument says, makes a call on each connection, and leaves when it gets a line. */
import { once } from "node:events";
import { connect, type Mesh } from "@koala/mrpc";
import { depotOf } from "../stage/faults-service.ts";

const count = Number(process.argv[2]);
const together = 20;
/** On a machine that is busy with other tests. */
const waitMs = 60_000;
const meshes: Mesh[] = [];

async function attachOne(): Promise<void> {
  const mesh = await connect({ waitMs, name: "scale" });
  meshes.push(mesh);
  await depotOf(mesh, "scale").echo({ amount: meshes.length }, { timeoutMs: waitMs });
}

while (meshes.length < count) {
  const next = Math.min(together, count - meshes.length);
  await Promise.all(Array.from({ length: next }, attachOne));
}
console.log(`called ${meshes.length}`);
await once(process.stdin, "data");
await Promise.all(meshes.map((mesh) => mesh.close()));
console.log("left");
process.stdin.destroy();
