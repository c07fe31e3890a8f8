/**
 * Makes calls as its lines say, `{"method","count","bytes","amount","timeoutMs"}`, all at once, and prints
 * how they ended: `ended {"OK": 3, "UNAVAILABLE/remote-app": 1}`.
 */
import { createInterface } from "node:readline";
import { connect } from "@koala/mrpc";
import { depotOf, outcomeOf } from "../stage/faults-service.ts";

const target = process.argv[2]!;
const depot = depotOf(await connect({ name: `${target}-client` }), target);
console.log("ready");
for await (const line of createInterface(process.stdin)) {
  const { method, count = 1, bytes = 0, amount = 0, timeoutMs } = JSON.parse(line);
  const request = { amount, data: new Uint8Array(bytes).fill(1) };
  const outcomes = Array.from({ length: count }, () =>
    outcomeOf(depot[method as "echo"](request, { timeoutMs })),
  );
  console.log("started");
  void Promise.all(outcomes).then((ended) => {
    const counts: Record<string, number> = {};
    for (const outcome of ended) counts[outcome] = (counts[outcome] ?? 0) + 1;
    console.log(`ended ${JSON.stringify(counts)}`);
  });
}
