/**
 * Serves a version of `shop.v1.Shop`: `shop-server.js NAME DESCRIPTORS RECEIPT`, the descriptors as base64 of a
 * `FileDescriptorSet`, the receipt of every method as JSON. Prints `serving`, then `got METHOD {JSON}` for
 * each call.
 */
import {
  createFileRegistry,
  type DescMethod,
  type DescService,
  fromBinary,
  fromJsonString,
  type Message,
  toJsonString,
} from "@bufbuild/protobuf";
import { FileDescriptorSetSchema } from "@bufbuild/protobuf/wkt";
import { type ServiceImpl, serve } from "@koala/mrpc";

const [name = "", descriptors = "", receipt = "{}"] = process.argv.slice(2);
const set = fromBinary(FileDescriptorSetSchema, Buffer.from(descriptors, "base64"));
const service = createFileRegistry(set).getService("shop.v1.Shop");
if (service === undefined) throw new Error("no shop.v1.Shop in the descriptors");

function handlerOf(method: DescMethod): (order: Message) => Message {
  const reply = fromJsonString(method.output, receipt);
  return (order) => {
    process.stdout.write(`got ${method.name} ${toJsonString(method.input, order)}\n`);
    return reply;
  };
}

const handlers = service.methods.map((method) => [method.localName, handlerOf(method)]);
const implementation = Object.fromEntries(handlers) as ServiceImpl<DescService>;
await serve({ name }, (router) => router.service(service, implementation));
process.stdout.write("serving\n");
