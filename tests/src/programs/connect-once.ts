/** Makes one call of the kitchen with a client of connect-es, prints the reply, and ends by itself. */
import { createClient } from "@connectrpc/connect";
import { koalaTransport } from "@koala/connect";
import { Kitchen } from "../gen/test/v1/kitchen_pb.ts";

const kitchen = createClient(Kitchen, koalaTransport("kitchen"));
const { text } = await kitchen.echo({ text: "hello" });
process.stdout.write(`reply ${text}\n`);
