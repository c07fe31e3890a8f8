/**
 * `grpc.channelz.v1.Channelz`: the gateway's ingresses as servers, their connections as sockets, its egresses as
 * channels. Only where an `[[ingress]]` asks for it: it tells the addresses of clients.
 */
import { isIPv4 } from "node:net";
import type { MessageInitShape } from "@bufbuild/protobuf";
import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import { Status } from "@koala/interface";
import { RpcError } from "@koala/mrpc";
import { ownService } from "../describe/own-service.ts";
import type { OwnService } from "../describe/service-catalog.ts";
import type { Egress } from "../egress/egress.ts";
import {
  type AddressSchema,
  type ChannelSchema,
  Channelz,
  ChannelConnectivityState_State as Connectivity,
  type ServerSchema,
  type SocketSchema,
} from "../gen/grpc/channelz/v1/channelz_pb.ts";
import type { DoorConnection } from "../http/front-door.ts";
import type { Ingress } from "../ingress/ingress.ts";

const resultsMax = 100;
/** Sockets are numbered by ingress: so many for each. */
const socketsPerServer = 2n ** 40n;

/** What channelz looks at; more may be added later. */
export interface ChannelzView {
  readonly ingresses: readonly Ingress[];
  readonly egresses: readonly Egress[];
}

export function channelzService(view: ChannelzView): OwnService {
  return ownService(Channelz, {
    getTopChannels({ startChannelId, maxResults }) {
      const { page, end } = pageOf(numbered(view.egresses), startChannelId, maxResults);
      return { channel: page.map(([id, egress]) => channelOf(id, egress)), end };
    },
    getChannel({ channelId }) {
      const egress = view.egresses[Number(channelId) - 1];
      if (egress === undefined) throw notFound("channel", channelId);
      return { channel: channelOf(channelId, egress) };
    },
    getSubchannel({ subchannelId }) {
      throw notFound("subchannel", subchannelId);
    },
    getServers({ startServerId, maxResults }) {
      const { page, end } = pageOf(numbered(view.ingresses), startServerId, maxResults);
      return { server: page.map(([id, ingress]) => serverOf(id, ingress)), end };
    },
    getServer({ serverId }) {
      const ingress = view.ingresses[Number(serverId) - 1];
      if (ingress === undefined) throw notFound("server", serverId);
      return { server: serverOf(serverId, ingress) };
    },
    getServerSockets({ serverId, startSocketId, maxResults }) {
      const ingress = view.ingresses[Number(serverId) - 1];
      if (ingress === undefined) throw notFound("server", serverId);
      const sockets = [...ingress.door.connections].map(
        (connection) => [socketIdOf(serverId, connection), connection] as const,
      );
      const { page, end } = pageOf(sockets, startSocketId, maxResults);
      const socketRef = page.map(([socketId, connection]) => ({
        socketId,
        name: nameOf(connection),
      }));
      return { socketRef, end };
    },
    getSocket({ socketId }) {
      const serverId = socketId / socketsPerServer;
      const connections = view.ingresses[Number(serverId) - 1]?.door.connections ?? [];
      for (const connection of connections) {
        if (socketIdOf(serverId, connection) === socketId) {
          return { socket: socketOf(socketId, connection) };
        }
      }
      throw notFound("socket", socketId);
    },
  });
}

function numbered<T>(items: readonly T[]): [bigint, T][] {
  return items.map((item, index) => [BigInt(index + 1), item]);
}

/** Those from a number on, by their numbers, as many as are wanted; `end`: there are no more. */
function pageOf<T>(
  items: readonly (readonly [bigint, T])[],
  start: bigint,
  max: bigint,
): { page: (readonly [bigint, T])[]; end: boolean } {
  const rest = items.filter(([id]) => id >= start);
  rest.sort(([one], [other]) => (one < other ? -1 : Number(one > other)));
  const count = max > 0n && max < BigInt(resultsMax) ? Number(max) : resultsMax;
  return { page: rest.slice(0, count), end: rest.length <= count };
}

function channelOf(channelId: bigint, egress: Egress): MessageInitShape<typeof ChannelSchema> {
  const { name, address, calls, isUp } = egress;
  return {
    ref: { channelId, name },
    data: {
      state: { state: isUp ? Connectivity.READY : Connectivity.IDLE },
      target: address,
      ...countsOf(calls),
    },
  };
}

function serverOf(
  serverId: bigint,
  { name, calls }: Ingress,
): MessageInitShape<typeof ServerSchema> {
  return { ref: { serverId, name }, data: countsOf(calls) };
}

function countsOf(calls: { started: number; succeeded: number; failed: number }): {
  callsStarted: bigint;
  callsSucceeded: bigint;
  callsFailed: bigint;
} {
  return {
    callsStarted: BigInt(calls.started),
    callsSucceeded: BigInt(calls.succeeded),
    callsFailed: BigInt(calls.failed),
  };
}

function socketOf(
  socketId: bigint,
  connection: DoorConnection,
): MessageInitShape<typeof SocketSchema> {
  const { socket, requests, lastRequest } = connection;
  return {
    ref: { socketId, name: nameOf(connection) },
    data: {
      streamsStarted: BigInt(requests),
      ...(lastRequest === null
        ? {}
        : { lastRemoteStreamCreatedTimestamp: timestampFromDate(lastRequest) }),
    },
    local: addressOf(socket.localAddress, socket.localPort),
    remote: addressOf(socket.remoteAddress, socket.remotePort),
  };
}

function nameOf({ socket, kind }: DoorConnection): string {
  return `${kind} ${socket.remoteAddress ?? "?"}:${socket.remotePort ?? 0}`;
}

function addressOf(
  host: string | undefined,
  port: number | undefined,
): MessageInitShape<typeof AddressSchema> {
  if (host === undefined || port === undefined) return {};
  const ipAddress = isIPv4(host) ? Uint8Array.from(host.split(".").map(Number)) : ipv6Bytes(host);
  return { address: { case: "tcpipAddress", value: { ipAddress, port } } };
}

/** The 16 bytes of an address that the system has written. */
function ipv6Bytes(host: string): Uint8Array {
  const [before = "", after] = host.replace(/%.*$/, "").split("::");
  const head = wordsOf(before);
  const tail = after === undefined ? [] : wordsOf(after);
  const zeros = new Array<number>(Math.max(0, 8 - head.length - tail.length)).fill(0);
  const words = [...head, ...zeros, ...tail];
  return Uint8Array.from(words.flatMap((word) => [word >> 8, word & 0xff]));
}

function wordsOf(text: string): number[] {
  if (text === "") return [];
  return text.split(":").flatMap((part) => {
    if (!part.includes(".")) return [Number.parseInt(part, 16)];
    const [a = 0, b = 0, c = 0, d = 0] = part.split(".").map(Number);
    return [a * 256 + b, c * 256 + d];
  });
}

function socketIdOf(serverId: bigint, { id }: DoorConnection): bigint {
  return serverId * socketsPerServer + BigInt(id);
}

function notFound(what: string, id: bigint): RpcError {
  return new RpcError(Status.NOT_FOUND, `no ${what} has the number ${id}`);
}
