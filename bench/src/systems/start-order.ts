/** In which order the workers of a system are started: who is needed comes first, clients come last. */
import { KoalaError } from "@koala/interface";
import { ownersIn } from "./placeholders.ts";
import type { SystemSpec, WorkerSpec } from "./system-file.ts";

/** Orders them; `ERR_EVAL_SYSTEM` when they wait for each other, or for one that there is not. */
export function startOrder({ file, workers }: SystemSpec): readonly WorkerSpec[] {
  const names = workers.map(({ name }) => name);
  const needed = new Map(
    workers.map((worker) => {
      const unknown = worker.after.find((name) => !names.includes(name));
      if (unknown !== undefined) {
        throw error(file, `"${worker.name}" comes after "${unknown}", which there is not`);
      }
      const owners = [...ownersIn(worker)].filter((owner) => names.includes(owner));
      return [worker.name, new Set([...owners, ...worker.after])];
    }),
  );
  const waiting = workers.toSorted(
    (a, b) => Number(a.role === "client") - Number(b.role === "client"),
  );
  const order: WorkerSpec[] = [];
  while (waiting.length > 0) {
    const started = new Set(order.map(({ name }) => name));
    const index = waiting.findIndex(({ name }) =>
      [...needed.get(name)!].every((need) => started.has(need)),
    );
    if (index < 0) {
      const circle = waiting.map(({ name }) => name).join(", ");
      throw error(file, `these workers wait for each other: ${circle}`);
    }
    order.push(...waiting.splice(index, 1));
  }
  return order;
}

function error(file: string, message: string): KoalaError {
  return new KoalaError("ERR_EVAL_SYSTEM", `${file}: ${message}`);
}
