/** A fake daemon, an echo server and meshes that end with their test. */

import type { TestContext } from "node:test";
import { setTimeout } from "node:timers/promises";
import { Status } from "@koala/interface";
import type { AppLimits } from "@koala/protocol";
import type { Client } from "../calls/client.ts";
import { RpcError } from "../errors/rpc-error.ts";
import { Echo } from "../gen/echo/v1/echo_pb.ts";
import type { HandlerContext } from "../serving/handler-context.ts";
import type { Server } from "../serving/server.ts";
import type { ServiceImpl, ServiceOptions } from "../serving/service-export.ts";
import { type ConnectOptions, connect } from "./connect.ts";
import { FakeDaemon } from "./fake-daemon-helper.test.ts";
import type { Mesh } from "./mesh.ts";

/** Lines that the library logged. */
export const logged: string[] = [];

export function startDaemon(t: TestContext, limits: Partial<AppLimits> = {}): FakeDaemon {
  const daemon = new FakeDaemon(limits).start();
  t.after(() => daemon.end());
  return daemon;
}

export async function startMesh(
  t: TestContext,
  daemon: FakeDaemon,
  options: ConnectOptions = {},
): Promise<Mesh> {
  const log = (level: string, message: string): void => {
    logged.push(`${level}: ${message}`);
  };
  const mesh = await connect({ prefix: daemon.prefix, name: "test", log, ...options });
  t.after(() => mesh.close({ graceMs: 0 }));
  return mesh;
}

/** Counts what the handlers of `echo` saw. */
export class Seen {
  calls = 0;
  aborted: unknown = undefined;
  context: HandlerContext | undefined = undefined;
}

/** `text` "async", "hang" and "silent" choose how `say` behaves. */
export function echo(seen: Seen): ServiceImpl<typeof Echo> {
  return {
    say(request, context) {
      seen.calls++;
      seen.context = context;
      const { text, number, body, tags } = request;
      const reply = { text: `say ${text}`, number: number + 1, body, tags };
      if (text === "async") return setTimeout(1).then(() => reply);
      if (text === "hang") return hang(seen, context);
      return reply;
    },
    fail({ status, message }) {
      if (status === 0) throw new TypeError(message);
      throw new RpcError(status as Status, message, {
        details: new Uint8Array([1, 2, 3]),
        metadata: [["why", "told"]],
      });
    },
  };
}

/** Until the call is aborted. */
function hang(seen: Seen, context: HandlerContext): Promise<never> {
  return new Promise((_resolve, reject) => {
    context.signal.addEventListener("abort", () => {
      seen.aborted = context.signal.reason;
      reject(context.signal.reason);
    });
  });
}

export interface EchoPair {
  daemon: FakeDaemon;
  mesh: Mesh;
  serverMesh: Mesh;
  server: Server;
  client: Client<typeof Echo>;
  seen: Seen;
}

/** A server and a client over a fake daemon. */
export async function startEcho(
  t: TestContext,
  limits: Partial<AppLimits> = {},
  options: ServiceOptions = {},
): Promise<EchoPair> {
  const daemon = startDaemon(t, limits);
  const seen = new Seen();
  const serverMesh = await startMesh(t, daemon, { name: "server" });
  const server = await serverMesh.serve({ name: "echo" }, (r) => {
    r.service(Echo, echo(seen), options);
  });
  const mesh = await startMesh(t, daemon, { name: "client" });
  return { daemon, mesh, serverMesh, server, client: mesh.client(Echo, "echo"), seen };
}

/** The RpcError that a call ended with. */
export async function failure(call: Promise<unknown>): Promise<RpcError> {
  try {
    await call;
  } catch (error) {
    if (error instanceof RpcError) return error;
    throw error;
  }
  throw new Error("the call succeeded");
}

export { Status };
