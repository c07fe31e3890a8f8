/**
 * Attaches to the daemon of KOALA_PREFIX as often as it is told: `{"op":"attach","count":N}` attaches until
 * there are N connections, `{"op":"call"}` makes a call on each, `{"op":"leave"}` closes all. Collects its garbage
 * before it answers, so that what is left is what connections cost.
 */
import { createInterface } from "node:readline";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { connect, type Mesh } from "@koala/mrpc";
import { Echo } from "../gen/bench/v1/bench_pb.ts";
import { endLine } from "../load-command.ts";
import { say } from "../obey-commands.ts";

type Command = { op: "attach"; count: number } | { op: "call" } | { op: "leave" };

/** Connections that are made at the same time. */
const together = 16;
/** On a machine that is busy with other things. */
const waitMs = 60_000;
const meshes: Mesh[] = [];

async function obey(command: Command): Promise<void> {
  switch (command.op) {
    case "attach":
      while (meshes.length < command.count) {
        const count = Math.min(together, command.count - meshes.length);
        meshes.push(
          ...(await Promise.all(Array.from({ length: count }, () => connect({ waitMs })))),
        );
      }
      return;
    case "call":
      for (const mesh of meshes) {
        await mesh
          .client(Echo, "bench")
          .echo({ payload: new Uint8Array(64) }, { timeoutMs: waitMs });
      }
      return;
    case "leave":
      await Promise.all(meshes.splice(0).map((mesh) => mesh.close()));
  }
}

setFlagsFromString("--expose-gc");
const collectGarbage = runInNewContext("gc") as () => void;

say({ ready: true });
for await (const line of createInterface({ input: process.stdin })) {
  if (line === endLine) break;
  const beganMs = performance.now();
  await obey(JSON.parse(line) as Command);
  const tookMs = performance.now() - beganMs;
  collectGarbage();
  say({ connections: meshes.length, tookMs });
}
process.stdin.destroy();
await Promise.all(meshes.map((mesh) => mesh.close()));
