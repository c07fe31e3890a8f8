/** Serves bench.v1.Echo through the daemon of KOALA_PREFIX: as `bench`, and as `bench-view` with views. */
import { connect, type ServiceImpl } from "@koala/mrpc";
import { Echo } from "../gen/bench/v1/bench_pb.ts";
import { say, waitForEnd } from "../load/obey-commands.ts";
import { checkEnds } from "../load/payload.ts";

const service: ServiceImpl<typeof Echo> = {
  echo: ({ payload }) => ({ payload }),
  put: ({ data }) => ({ bytes: checkEnds(data) }),
  *down({ payload }) {
    for (;;) yield { payload };
  },
  async up(requests) {
    let bytes = 0;
    for await (const _ of requests) bytes++;
    return { bytes };
  },
  async *both(requests) {
    for await (const { payload } of requests) yield { payload };
  },
};

const mesh = await connect();
await mesh.serve({ name: "bench" }, (router) => {
  router.service(Echo, service);
});
await mesh.serve({ name: "bench-view" }, (router) => {
  router.service(Echo, service, { view: true });
});
say({ ready: true });
await waitForEnd();
await mesh.close({ graceMs: 100 });
