/** A peer that speaks frames by hand, and so can say anything. */
import { once } from "node:events";
import { createConnection, type Socket } from "node:net";
import {
  F_KIND,
  F_LENGTH,
  F_STREAM,
  F_VALUE,
  FrameType,
  type Hello,
  LONG_HEADER_BYTES,
  padTo8,
  SHORT_HEADER_BYTES,
} from "@koala/protocol";
import type { ServiceSchema } from "@koala/schema";
import { type Ending, until } from "@koala/testing";
import { atEnd, type Daemon } from "./cluster.ts";

/** Whom it says its calls are from. */
export const hostileCaller = { app: "hostile", host: "", uid: 0, labels: {} } as const;

/** What a peer that behaves says first. */
export const goodHello: Hello = {
  magic: "koala-link",
  version: 1,
  features: [],
  name: "hostile",
  instance: "hostile-instance",
  linkWindow: 64 << 20,
  streamWindow: 2 << 20,
  frameBytes: 300_000,
  messageBytes: 64 << 20,
  metadataBytes: 16 << 10,
  services: [],
};

/** A frame with a short header; a string or bytes are padded as their type wants it. */
export function shortFrame(
  type: number,
  stream: number,
  value: number,
  body: Uint8Array | string = "",
  flags = 0,
  value16 = 0,
): Buffer {
  const bytes = Buffer.from(body as string);
  const frame = Buffer.alloc(
    SHORT_HEADER_BYTES + padTo8(bytes.length),
    typeof body === "string" ? 0x20 : 0,
  );
  frame.writeInt32LE(frame.length, 4 * F_LENGTH);
  frame.writeInt32LE(type | (flags << 8) | (value16 << 16), 4 * F_KIND);
  frame.writeInt32LE(stream | 0, 4 * F_STREAM);
  frame.writeInt32LE(value | 0, 4 * F_VALUE);
  bytes.copy(frame, SHORT_HEADER_BYTES);
  return frame;
}

export function jsonFrame(type: number, stream: number, json: unknown): Buffer {
  return shortFrame(type, stream, 0, JSON.stringify(json));
}

/** A frame with a long header of these words (length is computed unless given) and what follows. */
export function longFrame(words: readonly number[], rest: Uint8Array = new Uint8Array(0)): Buffer {
  const frame = Buffer.alloc(LONG_HEADER_BYTES + rest.length);
  for (let i = 0; i < 8; i++) frame.writeInt32LE((words[i] ?? 0) | 0, 4 * i);
  if (words[0] === 0) frame.writeInt32LE(frame.length, 0);
  frame.set(rest, LONG_HEADER_BYTES);
  return frame;
}

export class HostileLink {
  readonly socket: Socket;
  /** All that the daemon has sent. */
  received: Buffer = Buffer.alloc(0);
  ended = false;

  constructor(port: number) {
    this.socket = createConnection(port, "127.0.0.1");
    this.socket.on("data", (bytes) => {
      this.received = Buffer.concat([this.received, bytes]);
    });
    this.socket.on("error", () => {});
    this.socket.on("close", () => {
      this.ended = true;
    });
  }

  send(...frames: Uint8Array[]): void {
    this.socket.write(Buffer.concat(frames));
  }

  /** Takes the frames that have come so far. */
  frames(): Buffer[] {
    const frames: Buffer[] = [];
    while (this.received.length >= SHORT_HEADER_BYTES) {
      const length = this.received.readInt32LE(0);
      if (this.received.length < length) break;
      frames.push(this.received.subarray(0, length));
      this.received = this.received.subarray(length);
    }
    return frames;
  }

  /** Skips to the next frame of this type. */
  async expect(type: number): Promise<Buffer> {
    let found: Buffer | undefined;
    await until(`a frame of type ${type}`, () => {
      found = this.frames().find((frame) => frame.readUInt8(4) === type);
      if (found === undefined && this.ended) throw new Error("the daemon has closed the link");
      return found !== undefined;
    });
    return found!;
  }

  async hello(change: object = {}): Promise<this> {
    this.send(jsonFrame(FrameType.HELLO, 0, { ...goodHello, ...change }));
    await this.expect(FrameType.HELLO);
    return this;
  }

  /** Binds as a caller over there would; the schema is known or sent. */
  async bind(id: number, target: string, schema: ServiceSchema): Promise<void> {
    const { typeName: service, hash, descriptorSet } = schema;
    this.send(jsonFrame(FrameType.BIND, id, { target, service, hash, caller: hostileCaller }));
    let isBound = false;
    await until("an answer to BIND", () => {
      for (const frame of this.frames()) {
        const type = frame.readUInt8(4);
        if (type === FrameType.NEED_SCHEMA) {
          this.send(shortFrame(FrameType.SCHEMA, id, descriptorSet.length, descriptorSet));
        }
        if (type === FrameType.REFUSED) throw new Error(frame.toString("utf8", 16));
        isBound ||= type === FrameType.BOUND;
      }
      return isBound;
    });
  }
}

/** Connects to a daemon's port; gone after the test. */
export async function openHostileLink(test: Ending, daemon: Daemon): Promise<HostileLink> {
  const link = new HostileLink(daemon.port);
  await once(link.socket, "connect");
  atEnd(test, () => link.socket.destroy());
  return link;
}
