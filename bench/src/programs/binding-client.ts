/** Binds services of many types through the daemon of KOALA_PREFIX, and says how long the first reply took. */
import { create, type DescService } from "@bufbuild/protobuf";
import { connect } from "@koala/mrpc";
import { serviceSchemaOf } from "@koala/schema";
import { openMemory } from "@koala/shm";
import type { CallCommand, Called, Split } from "../load/binding.ts";
import { obeySchemas } from "./obey-schemas.ts";

type Get = (request: object, options: object) => Promise<object>;

const options = { timeoutMs: 20_000, waitForReady: true };
/** More than any empty message of a thousand types. */
const scratchBytes = 1 << 16;
const mesh = await connect({ name: "binding-client" });
const clients = new Map<string, Get>();

function clientOf(service: DescService, tag: string): Get {
  return (mesh.client(service, tag) as unknown as { get: Get }).get;
}

async function call(get: () => Get): Promise<Called> {
  const start = performance.now();
  await get()({}, options);
  return { ms: performance.now() - start };
}

/** In a process that does only this. The daemon reads schemas by the same code, and checks them before. */
function split(service: DescService): Split {
  const start = performance.now();
  const codec = serviceSchemaOf(service).methods[0]!.input;
  const schemaEnd = performance.now();
  const memory = openMemory(new ArrayBuffer(scratchBytes));
  const message = create(service.methods[0]!.input);
  const length = codec.write(message, memory, 0, scratchBytes, { add: () => -1 });
  codec.read(memory, 0, length);
  return { schemaMs: schemaEnd - start, codecMs: performance.now() - schemaEnd };
}

await obeySchemas<CallCommand>({}, async ({ op, tag, types }, service) => {
  if (op === "split") return split(service);
  const key = `${tag} ${types}`;
  return call(() => {
    const get =
      op === "call" ? (clients.get(key) ?? clientOf(service, tag)) : clientOf(service, tag);
    clients.set(key, get);
    return get;
  });
});
await mesh.close();
