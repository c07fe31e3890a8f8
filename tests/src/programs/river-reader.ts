/**
 * Reads a stream: `river-reader.js MESSAGES BYTES`, so many messages of so many bytes. Prints `read TENTHS` after each
 * tenth of them.
 */
import { connect } from "@koala/mrpc";
import { River } from "../gen/test/v1/river_pb.ts";

const [count = 0, bytes = 0] = process.argv.slice(2).map(Number);
const mesh = await connect();
let got = 0;
let received = 0;
const river = mesh.client(River, "river");
for await (const { data } of river.flow({ count, bytes }, { waitForReady: true })) {
  got++;
  received += data.length;
  if (got % Math.ceil(count / 10) === 0)
    process.stdout.write(`read ${Math.round((got / count) * 10)}\n`);
}
process.stdout.write(`all ${received}\n`);
await mesh.close();
