/** Streams of bench.v1.Echo over Koala's typed client. */
import type { Client } from "@koala/mrpc";
import type { StreamMethod } from "../cases/case.ts";
import type { Echo } from "../gen/bench/v1/bench_pb.ts";
import { checkReply } from "../load/payload.ts";
import type { Clock, RunStream } from "../load/stream-load.ts";

/** A stream of the kind, with messages of so many bytes. */
export function koalaStream(
  client: Client<typeof Echo>,
  method: StreamMethod,
  bytes: number,
): RunStream {
  const payload = new Uint8Array(bytes);
  switch (method) {
    case "down":
      return (clock) => count(client.down({ payload }), bytes, clock);
    case "up":
      return async (clock) => (await client.up(messages(payload, clock))).bytes;
    case "both":
      return (clock) => count(client.both(messages(payload, clock)), bytes, null);
  }
}

/** Takes messages to their end, or until time is up. */
async function count(
  replies: AsyncIterable<{ payload: Uint8Array }>,
  bytes: number,
  clock: Clock | null,
): Promise<number> {
  let taken = 0;
  for await (const { payload } of replies) {
    checkReply(bytes, payload.length);
    taken++;
    if (clock !== null && !clock.isRunning) break;
  }
  return taken;
}

function* messages(payload: Uint8Array, clock: Clock): Generator<{ payload: Uint8Array }, void> {
  while (clock.isRunning) yield { payload };
}
