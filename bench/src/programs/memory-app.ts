/** Has many connections to the daemon of KOALA_PREFIX, as it is told: `obey-crowd.ts`. */
import { connect } from "@koala/mrpc";
import { Echo } from "../gen/bench/v1/bench_pb.ts";
import { obeyCrowd } from "../load/obey-crowd.ts";

/** On a machine that is busy with other things. */
const waitMs = 60_000;
const request = { payload: new Uint8Array(64) };

await obeyCrowd(async () => {
  const mesh = await connect({ waitMs });
  // Made with the first call: what is measured idle is a connection alone.
  let echo: (() => Promise<unknown>) | undefined;
  return {
    call: async () => {
      if (echo === undefined) {
        const client = mesh.client(Echo, "bench");
        echo = () => client.echo(request, { timeoutMs: waitMs });
      }
      await echo();
    },
    close: () => mesh.close(),
  };
});
