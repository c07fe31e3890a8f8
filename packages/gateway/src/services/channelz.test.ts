/** What channelz tells of an ingress and its connections. */
import assert from "node:assert/strict";
import { describe, it, type TestContext } from "node:test";
import {
  create,
  type DescMethod,
  fromBinary,
  type MessageShape,
  toBinary,
} from "@bufbuild/protobuf";
import { until } from "@koala/testing";
import { openSession, request, startEdge } from "../edge-helper.test.ts";
import { Channelz } from "../gen/grpc/channelz/v1/channelz_pb.ts";
import { enveloped } from "../ingress/envelope-reader.ts";
import { channelzService } from "./channelz.ts";

type Ask = <Method extends DescMethod>(
  method: Method,
  question?: Record<string, bigint>,
) => Promise<MessageShape<Method["output"]>>;

async function startChannelz(t: TestContext): Promise<{ ask: Ask; port: number }> {
  const { ingress, port } = await startEdge(t);
  const { backend } = channelzService({ ingresses: [ingress], egresses: [] });
  const ask: Ask = async (method, question = {}) => {
    const bytes = await backend.unary(
      method,
      toBinary(method.input, create(method.input, question as never)),
      {
        ...{ timeoutMs: undefined, signal: new AbortController().signal, metadata: [] },
        onHeaderEntries: () => {},
        onTrailerEntries: () => {},
      },
    );
    return fromBinary(method.output, bytes) as never;
  };
  return { ask, port };
}

describe("channelz", () => {
  const { getServers, getServer, getServerSockets, getSocket, getTopChannels } = Channelz.method;

  it("counts calls, and shows who is connected", async (t) => {
    const { ask, port } = await startChannelz(t);
    const sessions = [openSession(t, port), openSession(t, port)];
    const note = enveloped(0, Buffer.alloc(0));
    for (const session of sessions) await request(session, "/probe.v1.Probe/Echo", note);
    await request(sessions[0]!, "/probe.v1.Probe/Nothing", note);
    const { server, end } = await ask(getServers);
    assert.equal(end, true);
    assert.equal(server[0]?.ref?.name, "test");
    const serverId = server[0]!.ref!.serverId;
    const { data } = (await ask(getServer, { serverId })).server!;
    assert.deepEqual([data?.callsStarted, data?.callsSucceeded, data?.callsFailed], [3n, 2n, 1n]);

    const first = await ask(getServerSockets, { serverId, maxResults: 1n });
    assert.deepEqual([first.socketRef.length, first.end], [1, false]);
    const startSocketId = first.socketRef[0]!.socketId + 1n;
    const second = await ask(getServerSockets, { serverId, startSocketId });
    assert.deepEqual([second.socketRef.length, second.end], [1, true]);
    const { socketId } = first.socketRef[0]!;
    const { socket } = await ask(getSocket, { socketId });
    assert.equal(socket?.data?.streamsStarted, 2n);
    const { address } = socket.local!;
    assert.equal(address.value?.port, port);
    assert.deepEqual(Buffer.from(address.value.ipAddress), Buffer.from([127, 0, 0, 1]));
    sessions[0]!.destroy();
    await until("it is gone", async () => {
      return (await ask(getServerSockets, { serverId })).socketRef.length === 1;
    });
    await assert.rejects(ask(getSocket, { socketId }), /NOT_FOUND/);
    await assert.rejects(ask(getServer, { serverId: 9n }), /NOT_FOUND/);
    assert.equal((await ask(getTopChannels)).channel.length, 0);
  });
});
