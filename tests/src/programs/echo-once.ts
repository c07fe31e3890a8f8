/** Makes one call of the kitchen, and prints the version of Node and the reply. */
import { connect } from "@koala/mrpc";
import { Kitchen } from "../gen/test/v1/kitchen_pb.ts";

const mesh = await connect();
const { text } = await mesh
  .client(Kitchen, "kitchen")
  .echo({ text: `hello from ${process.version}` });
process.stdout.write(`${process.version} ${text}\n`);
await mesh.close();
