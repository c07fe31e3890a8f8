/** A server with streaming methods, a client, and a fake daemon that passes cancellations on. */
import type { TestContext } from "node:test";
import type { AppLimits } from "@koala/protocol";
import type { Client } from "../calls/client.ts";
import { Echo } from "../gen/echo/v1/echo_pb.ts";
import type { FakeApp, FakeDaemon } from "../mesh/fake-daemon-helper.test.ts";
import type { Mesh } from "../mesh/mesh.ts";
import { startDaemon, startMesh } from "../mesh/mesh-helper.test.ts";
import type { HandlerContext } from "../serving/handler-context.ts";
import type { Server } from "../serving/server.ts";
import type { ServiceImpl, ServiceOptions } from "../serving/service-export.ts";

export interface StreamPair {
  daemon: FakeDaemon;
  client: Client<typeof Echo>;
  mesh: Mesh;
  server: Server;
  serverMesh: Mesh;
  /** How the fake daemon knows the two. */
  clientApp: FakeApp;
  serverApp: FakeApp;
}

/** Both ends; without `impl` the server answers as `streams` does. */
export async function startStreams(
  t: TestContext,
  impl: ServiceImpl<typeof Echo> = streams(),
  limits: Partial<AppLimits> = {},
  options: ServiceOptions = {},
): Promise<StreamPair> {
  const daemon = startDaemon(t, limits);
  daemon.forwardsCancels = true;
  const serverMesh = await startMesh(t, daemon, { name: "server" });
  const server = await serverMesh.serve({ name: "echo" }, (r) => {
    r.service(Echo, impl, options);
  });
  const mesh = await startMesh(t, daemon, { name: "client" });
  const app = (name: string): FakeApp => daemon.apps.find((found) => found.name === name)!;
  return {
    daemon,
    mesh,
    client: mesh.client(Echo, "echo"),
    server,
    serverMesh,
    clientApp: app("client"),
    serverApp: app("server"),
  };
}

/** `watch` counts, `sum` adds up, `chat` answers. */
export function streams(): ServiceImpl<typeof Echo> {
  return {
    async *watch({ number, text, body }) {
      for (let i = 0; i < number; i++) yield { number: i, text, body };
    },
    async sum(requests) {
      let number = 0;
      const texts: string[] = [];
      for await (const request of requests) {
        number += request.number;
        texts.push(request.text);
      }
      return { number, text: texts.join("") };
    },
    async *chat(requests) {
      for await (const { number, text } of requests) yield { number: -number, text };
    },
  };
}

/** What handlers of a test noted. */
export class Noted {
  readonly lines: string[] = [];
  context: HandlerContext | undefined = undefined;

  note(line: string): void {
    this.lines.push(line);
  }
}

/** Everything that an iterable gives, and what it throws. */
export async function collect<T>(
  messages: AsyncIterable<T>,
): Promise<{ got: T[]; error: unknown }> {
  const got: T[] = [];
  try {
    for await (const message of messages) got.push(message);
  } catch (error) {
    return { got, error };
  }
  return { got, error: undefined };
}

/** A source that waits until it is told to go on. */
export class Gate {
  private opened: () => void = () => {};
  readonly isOpen: Promise<void> = new Promise((resolve) => {
    this.opened = resolve;
  });

  open(): void {
    this.opened();
  }
}
