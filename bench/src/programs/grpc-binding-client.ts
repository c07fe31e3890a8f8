/** Calls services of many types over grpc-js, and says how long the first reply took: `grpc-binding-client.js PORT`. */
import { create, type DescService } from "@bufbuild/protobuf";
import { Client, credentials } from "@grpc/grpc-js";
import type { CallCommand, Called } from "../load/binding.ts";
import { grpcMethod, grpcOptions } from "./grpc-method.ts";
import { obeySchemas } from "./obey-schemas.ts";

const [, , port] = process.argv;
let client: Client | undefined;

function connected(): Client {
  return new Client(`127.0.0.1:${port}`, credentials.createInsecure(), {
    ...grpcOptions,
    "grpc.use_local_subchannel_pool": 1,
  });
}

/** A new channel each time, unless it is for one more call of the same. */
async function call({ op }: CallCommand, service: DescService): Promise<Called> {
  const start = performance.now();
  if (op === "bind" || client === undefined) {
    client?.close();
    client = connected();
  }
  const channel = client;
  const method = service.methods[0]!;
  const { path, requestSerialize, responseDeserialize } = grpcMethod(method);
  await new Promise<void>((resolve, reject) => {
    const request = create(method.input);
    channel.makeUnaryRequest(path, requestSerialize, responseDeserialize, request, (error) => {
      if (error === null) resolve();
      else reject(error);
    });
  });
  return { ms: performance.now() - start };
}

await obeySchemas<CallCommand>({}, call);
client?.close();
