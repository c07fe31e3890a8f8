/** Serves bench.v1.Echo with connect-node over HTTP/2 on a free port, and says which. */
import { createServer } from "node:http2";
import type { AddressInfo } from "node:net";
import { connectNodeAdapter } from "@connectrpc/connect-node";
import { Echo } from "../gen/bench/v1/bench_pb.ts";
import { say, waitForEnd } from "../load/obey-commands.ts";
import { checkEnds } from "../load/payload.ts";

const server = createServer(
  // 10 by default, with which Node refuses 8 messages of 8 MB at once.
  { maxSessionMemory: 1024 },
  connectNodeAdapter({
    routes: (router) => {
      router.service(Echo, {
        echo: ({ payload }) => ({ payload }),
        put: ({ data }) => ({ bytes: checkEnds(data) }),
      });
    },
  }),
);
await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
say({ ready: true, port: (server.address() as AddressInfo).port });
await waitForEnd();
process.exit(0);
