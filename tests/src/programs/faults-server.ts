/** Serves a depot under the name in its argument, until it is killed. */
import { connect } from "@koala/mrpc";
import { serveDepot } from "../stage/faults-service.ts";

const name = process.argv[2]!;
const mesh = await connect({ name });
await serveDepot(mesh, name);
console.log("serving");
