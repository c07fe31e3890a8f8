import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { KoalaError } from "@koala/interface";
import { socketAccept, tcpListen } from "@koala/native";
import { testTransport } from "@koala/testing";
import { createTcpTransport } from "./tcp.ts";

// Small kernel buffers, so that the suite can fill them.
const small = { sendBytes: 64 * 1024, receiveBytes: 64 * 1024 };

testTransport({ name: "tcp, IPv4", host: "127.0.0.1", create: () => createTcpTransport(small) });
testTransport({ name: "tcp, IPv6", host: "::1", create: () => createTcpTransport(small) });
testTransport({ name: "tcp, kernel's own buffers", host: "127.0.0.1", create: createTcpTransport });

describe("createTcpTransport", () => {
  it("refuses options that are no counts", () => {
    for (const options of [{ backlog: -1 }, { sendBytes: 1.5 }, { keepAliveSeconds: Number.NaN }]) {
      assert.throws(
        () => createTcpTransport(options),
        (error: unknown) => error instanceof KoalaError && error.code === "ERR_TCP_OPTION",
      );
    }
  });

  it("says what to do about an address that is none", () => {
    const transport = createTcpTransport();
    assert.throws(() => transport.connect("example.org", 80), /ERR_TCP_CONNECT|numeric address/);
    assert.throws(() => transport.listen("example.org", 80), /numeric address/);
  });

  it("adopts a descriptor whose peer is gone already", () => {
    const transport = createTcpTransport();
    const fd = tcpListen("127.0.0.1", 0, 1);
    assert.ok(socketAccept(fd) < 0);
    // A listening socket is a socket without a peer, too.
    const connection = transport.adopt(fd);
    assert.equal(connection.remote, "not connected");
    assert.ok(connection.receive([{ buffer: new ArrayBuffer(8), offset: 0, length: 8 }], 1) < 0);
    connection.close();
  });
});
