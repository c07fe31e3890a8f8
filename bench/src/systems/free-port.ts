/** Ports for programs that can't say which one they have got. */
import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { createServer, connect as openConnection } from "node:net";
import { KoalaError } from "@koala/interface";
import { until } from "@koala/testing";

const readyMs = 20_000;

/**
 * A port of the loopback device that nobody has now. The kernel gives out others first before it gives this one
 * again, so whoever takes it soon has it.
 */
export async function findFreePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, "close");
  return port;
}

/** Resolves when something accepts connections there; rejects when `ended` says that it never will. */
export async function portAccepts(port: number, name: string, ended: () => boolean): Promise<void> {
  await until(
    `${name} accepts connections at port ${port}`,
    async () => {
      if (ended()) throw new KoalaError("ERR_BENCH_PROGRAM", `${name} has ended`);
      return await accepts(port);
    },
    readyMs,
  );
}

function accepts(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = openConnection(port, "127.0.0.1");
    socket.once("connect", () => {
      socket.destroy();
      resolve(true);
    });
    socket.once("error", () => resolve(false));
  });
}
