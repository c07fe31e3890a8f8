/** Calls without pause between two apps of the test's process, for whatever is to happen meanwhile. */
import { messageOf } from "@koala/interface";
import { RpcError, serve } from "@koala/mrpc";
import type { Ending } from "@koala/testing";
import { Kitchen } from "../gen/test/v1/kitchen_pb.ts";
import { atEnd, type Daemon } from "./cluster.ts";
import { connectTo } from "./kitchen.ts";

export interface LoadOptions {
  client: Pick<Daemon, "prefix">;
  server: Pick<Daemon, "prefix">;
  /** Calls at the same time. */
  inFlight: number;
  /** Mesh name. */
  name?: string;
}

export interface LoadResult {
  /** What calls failed with, the first ones. */
  failures: string[];
  /** Calls that the server got before an earlier one, the first ones. */
  disorder: string[];
  calls: number;
  /** The longest time in which no call ended. */
  gapMs: number;
}

export interface Load {
  /** Calls that have ended. */
  readonly done: number;
  /** Begins no more calls, and waits for those that are under way. */
  stop(): Promise<LoadResult>;
}

const noted = 10;

/** Starts to call; resolves when the first calls have come back. */
export async function startLoad(
  test: Ending,
  { client, server, inFlight, name = "load" }: LoadOptions,
): Promise<Load> {
  const failures: string[] = [];
  const disorder: string[] = [];
  let received = -1n;
  const served = await serve({ prefix: server.prefix, name }, (router) =>
    router.service(Kitchen, {
      echo: (dish) => {
        if (dish.serial <= received && disorder.length < noted) {
          disorder.push(`${dish.serial} after ${received}`);
        }
        received = dish.serial;
        return dish;
      },
    }),
  );
  atEnd(test, () => served.close({ graceMs: 0 }));
  const mesh = await connectTo(test, client);
  const kitchen = mesh.client(Kitchen, name);
  let isOver = false;
  let serial = 0n;
  let done = 0;
  let gapMs = 0;
  let lastMs = performance.now();
  // The other daemon may not have heard of the service yet.
  await kitchen.echo({ serial: serial++ }, { waitForReady: true, timeoutMs: 20_000 });
  done++;
  const one = async (): Promise<void> => {
    const mine = serial++;
    try {
      const reply = await kitchen.echo({ serial: mine, text: `call ${mine}` });
      if (reply.serial !== mine) note(`the reply of ${reply.serial} for ${mine}`);
    } catch (error) {
      const origin = error instanceof RpcError ? ` (${error.statusName}, ${error.origin})` : "";
      note(`call ${mine}: ${messageOf(error)}${origin}`);
    }
    done++;
    const now = performance.now();
    gapMs = Math.max(gapMs, now - lastMs);
    lastMs = now;
  };
  const note = (failure: string): void => {
    if (failures.length < noted) failures.push(failure);
    else isOver = true;
  };
  lastMs = performance.now();
  const all = Array.from({ length: inFlight }, async () => {
    while (!isOver) await one();
  });
  return {
    get done() {
      return done;
    },
    stop: async () => {
      isOver = true;
      await Promise.all(all);
      return { failures, disorder, calls: done, gapMs };
    },
  };
}
