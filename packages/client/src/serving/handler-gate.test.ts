import assert from "node:assert/strict";
import { test } from "node:test";
import { until } from "@koala/testing";
import { Echo } from "../gen/echo/v1/echo_pb.ts";
import { loopback } from "../loopback/loopback.ts";
import { failure, Status, startDaemon, startMesh } from "../mesh/mesh-helper.test.ts";
import type { ServiceImpl } from "./service-export.ts";

/** Handlers that end when they are told. */
class Stepper {
  running = 0;
  most = 0;
  readonly order: string[] = [];
  private readonly ends: (() => void)[] = [];

  readonly impl: ServiceImpl<typeof Echo> = {
    say: async ({ text }) => {
      await this.run(text);
      return { text };
    },
    watch: ({ text }) => this.watch(text),
  };

  private async *watch(text: string): AsyncGenerator<{ text: string }> {
    yield { text };
    await this.run(text);
  }

  endOne(): void {
    this.ends.shift()?.();
  }

  private async run(text: string): Promise<void> {
    this.order.push(text);
    this.most = Math.max(this.most, ++this.running);
    await new Promise<void>((resolve) => this.ends.push(resolve));
    this.running--;
  }
}

test("no more handlers run than the server allows, and calls keep their order", async (t) => {
  const daemon = startDaemon(t);
  const mesh = await startMesh(t, daemon);
  const stepper = new Stepper();
  await mesh.serve({ name: "echo", concurrency: 2 }, (r) => r.service(Echo, stepper.impl));
  const client = mesh.client(Echo, "echo");
  const calls = ["a", "b", "c", "d", "e"].map((text) => client.say({ text }));
  for (let ended = 0; ended < calls.length; ended++) {
    await until("a handler runs", () => stepper.order.length >= Math.min(ended + 2, 5));
    stepper.endOne();
  }
  await Promise.all(calls);
  assert.equal(stepper.most, 2);
  assert.deepEqual(stepper.order, ["a", "b", "c", "d", "e"]);
});

test("a call that waits for its turn ends with its deadline, and its handler never runs", async () => {
  const stepper = new Stepper();
  const mesh = loopback((r) => r.service(Echo, stepper.impl), { server: { concurrency: 1 } });
  const client = mesh.client(Echo, "echo");
  const first = client.say({ text: "first" });
  await until("it runs", () => stepper.running === 1);
  const late = await failure(client.say({ text: "late" }, { timeoutMs: 10 }));
  assert.equal(late.status, Status.DEADLINE_EXCEEDED);
  stepper.endOne();
  await first;
  const next = client.say({ text: "next" });
  await until("the next one runs", () => stepper.running === 1);
  stepper.endOne();
  await next;
  assert.deepEqual(stepper.order, ["first", "next"]);
});

test("a stream counts until its handler has ended", async () => {
  const stepper = new Stepper();
  const mesh = loopback((r) => r.service(Echo, stepper.impl), { server: { concurrency: 1 } });
  const client = mesh.client(Echo, "echo");
  const stream = client.watch({ text: "stream" })[Symbol.asyncIterator]();
  assert.equal((await stream.next()).value?.text, "stream");
  const call = client.say({ text: "call" });
  await until("the stream's handler runs", () => stepper.order.length === 1);
  stepper.endOne();
  assert.equal((await stream.next()).done, true);
  await until("the call's handler runs", () => stepper.order.length === 2);
  stepper.endOne();
  assert.equal((await call).text, "call");
});

test("a stream that is left early makes room", async () => {
  const impl: ServiceImpl<typeof Echo> = {
    say: () => ({ text: "said" }),
    async *watch() {
      for (;;) yield {};
    },
  };
  const mesh = loopback((r) => r.service(Echo, impl), { server: { concurrency: 1 } });
  const client = mesh.client(Echo, "echo");
  for await (const _ of client.watch({})) break;
  assert.equal((await client.say({})).text, "said");
});

for (const concurrency of [0, -1, 1.5, Number.NaN]) {
  test(`a concurrency of ${concurrency} is refused`, () => {
    const routes = { server: { concurrency } };
    assert.throws(() => loopback((r) => r.service(Echo, {}), routes), {
      code: "ERR_SERVE_CONCURRENCY",
    });
  });
}
