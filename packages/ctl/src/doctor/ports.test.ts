import assert from "node:assert/strict";
import { once } from "node:events";
import { type AddressInfo, createServer } from "node:net";
import { describe, it } from "node:test";
import { isListener, tryPort } from "./ports.ts";

describe("tryPort and isListener", () => {
  it("know a port that is held, who holds it, and a free one", async () => {
    const server = createServer().listen(0, "127.0.0.1");
    await once(server, "listening");
    const { port } = server.address() as AddressInfo;
    assert.equal(await tryPort("127.0.0.1", port), "EADDRINUSE");
    assert.equal(isListener(process.pid, port), true);
    assert.equal(isListener(process.ppid, port), false);
    server.close();
    await once(server, "close");
    assert.equal(isListener(process.pid, port), false);
    assert.equal(await tryPort("127.0.0.1", port), undefined);
  });

  it("say why an address can't be had", async () => {
    assert.equal(await tryPort("192.0.2.1", 4500), "EADDRNOTAVAIL");
  });
});
