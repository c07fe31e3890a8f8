/** A thread that serves a depot; its echo says in `text` which thread it is, its slow calls never end. */
import { parentPort, workerData } from "node:worker_threads";
import { connect } from "@koala/mrpc";
import { depotService, type Parcel } from "../stage/faults-service.ts";

const { prefix, name, text } = workerData as { prefix: string; name: string; text: string };
const mesh = await connect({ prefix });
await mesh.serve({ name }, (routes) =>
  routes.service(depotService, {
    echo: (parcel: Parcel) => ({ ...parcel, text }),
    slow: () => new Promise<Parcel>(() => {}),
    fill: () => ({}),
  } as never),
);
parentPort!.postMessage("serving");
