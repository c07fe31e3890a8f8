import assert from "node:assert/strict";
import { createServer, type ServerResponse } from "node:http";
import { join } from "node:path";
import { describe, it, type TestContext } from "node:test";
import { type DaemonEvent, eventBusHeader } from "@koala/protocol";
import { type Following, followEvents, isEvent } from "./event-follow.ts";
import { createPrefix, ctl, startFake } from "./fake-daemon-helper.test.ts";

function event(seq: number, name: string, fields: DaemonEvent["fields"] = {}): DaemonEvent {
  return { seq, time: "2026-01-01T00:00:00.000Z", topic: "app", name, fields };
}

/** A daemon whose streams the test writes to; `asked` has the targets. */
async function startStream(
  test: TestContext,
  onStream: (response: ServerResponse) => void,
): Promise<{ prefix: string; asked: string[]; close: () => void }> {
  const prefix = createPrefix(test);
  const asked: string[] = [];
  const server = createServer((request, response) => {
    asked.push(request.url ?? "");
    response.writeHead(200, { connection: "close", [eventBusHeader]: "b1" });
    onStream(response);
  });
  await new Promise<void>((resolve) => server.listen(join(prefix, "admin.sock"), resolve));
  test.after(() => {
    server.close();
    server.closeAllConnections();
  });
  return { prefix, asked, close: () => void server.close() };
}

describe("koalactl events", { timeout: 30_000 }, () => {
  it("lists what was, a line an event", async (test) => {
    const events = [
      event(1, "attached", { app: 1, name: "shop\u001b[2J" }),
      event(2, "detached", { app: 1, reason: "its process ended" }),
    ];
    const target = "/v1/events?topic=app%2Clink&last=5&since=0";
    const prefix = await startFake(test, { [target]: { body: { events, dropped: 0 } } });
    const args = [
      "events",
      "-t",
      "app",
      "-t",
      "link",
      "-n",
      "5",
      "--since",
      "0",
      "--prefix",
      prefix,
    ];
    const { code, stdout, stderr } = await ctl(args);
    assert.equal(code, 0, stderr);
    assert.equal(
      stdout,
      '2026-01-01T00:00:00.000Z  app attached            app=1 name=shop\ufffd[2J\n2026-01-01T00:00:00.000Z  app detached            app=1 reason="its process ended"\n',
    );
    const json = await ctl([...args, "-o", "json"]);
    assert.deepEqual(JSON.parse(json.stdout), { events, dropped: 0 });
  });

  it("follows until the daemon ends, and says what is missing", async (test) => {
    const stopped: DaemonEvent = { ...event(10, "stopped"), topic: "daemon" };
    const { prefix, asked } = await startStream(test, (response) => {
      const lines = [event(1, "attached"), { dropped: 7 }, event(9, "closed"), stopped];
      const text = lines.map((line) => `${JSON.stringify(line)}\n`).join("");
      // In pieces that are no lines.
      for (const piece of text.match(/.{1,20}/gsu) ?? []) response.write(piece);
      response.end();
    });
    const { code, stdout, stderr } = await ctl(["events", "-f", "--prefix", prefix]);
    assert.equal(code, 0, stderr);
    assert.match(stdout, /app attached\n.*app closed\n.*daemon stopped\n$/);
    assert.match(stderr, /^7 events are missing.*\nthe daemon has ended\n$/);
    assert.deepEqual(asked, ["/v1/events?last=10&follow=1"]);
    const json = await ctl(["events", "--follow", "-o", "json", "--prefix", prefix]);
    assert.deepEqual(
      json.stdout
        .trim()
        .split("\n")
        .map((line) => JSON.parse(line) as unknown),
      [event(1, "attached"), { dropped: 7 }, event(9, "closed"), stopped],
    );
  });

  it("prints an event when it comes", async (test) => {
    let stream: ServerResponse | undefined;
    const { prefix } = await startStream(test, (response) => {
      stream = response;
      response.write(`${JSON.stringify(event(1, "attached"))}\n`);
    });
    const { code, stdout } = await ctl(["events", "--follow", "--prefix", prefix], {
      onOutput: () => stream?.end(),
    });
    assert.match(stdout, /app attached\n$/);
    assert.equal(code, 0);
  });
});

describe("followEvents", { timeout: 30_000 }, () => {
  async function seqsOf(following: Following): Promise<number[]> {
    const seqs: number[] = [];
    for await (const line of followEvents(following)) if (isEvent(line)) seqs.push(line.seq);
    return seqs;
  }

  it("goes on behind the last event when the connection breaks", async (test) => {
    let count = 0;
    const { prefix, asked } = await startStream(test, (response) => {
      response.write(`${JSON.stringify(event(++count, "attached"))}\n`);
      if (count === 3) response.end();
      else response.socket?.end(() => response.destroy());
    });
    const restarts: number[] = [];
    const onRestart = (): void => void restarts.push(count);
    const query = { topic: "app", last: "10" };
    assert.deepEqual(await seqsOf({ prefix, query, onRestart }), [1, 2, 3]);
    assert.deepEqual(asked, [
      "/v1/events?topic=app&last=10&follow=1",
      "/v1/events?topic=app&since=1&bus=b1&follow=1",
      "/v1/events?topic=app&since=2&bus=b1&follow=1",
    ]);
    assert.deepEqual(restarts, []);
  });

  it("gives up when no other daemon comes", async (test) => {
    const { prefix, close } = await startStream(test, (response) => {
      response.write(`${JSON.stringify(event(1, "attached"))}\n`);
      close();
      response.socket?.end();
    });
    await assert.rejects(seqsOf({ prefix, query: {}, patienceMs: 300 }), /is gone/);
  });

  it("does not wait for a daemon that was never there, and ends when it is told to", async (test) => {
    const none = seqsOf({ prefix: createPrefix(test), query: {} });
    await assert.rejects(none, /no daemon at/);
    const controller = new AbortController();
    const { prefix } = await startStream(test, (response) => {
      response.flushHeaders();
      setImmediate(() => controller.abort());
    });
    assert.deepEqual(await seqsOf({ prefix, query: {}, signal: controller.signal }), []);
  });
});
