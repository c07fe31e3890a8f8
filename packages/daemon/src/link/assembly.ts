/** A large message that is coming in, chunk by chunk, straight to the place where it will stay. */
import { type Memory, openMemory } from "@koala/shm";
import type { Body } from "../datapath/body.ts";
import type { Call } from "../datapath/call.ts";
import type { SpareMemory } from "./spare-memory.ts";

export interface Assembly {
  readonly call: Call;
  readonly callId: number;
  readonly stream: number;
  /** A reply of the callee over there; else a request of the caller over there. */
  readonly isReply: boolean;
  /** It is one of the messages of a streaming call, not its request or reply. */
  readonly isMessage: boolean;
  /** Where it goes. Its tail lies in private memory. */
  readonly body: Body;
  readonly total: number;
  received: number;
  /** The app heap is not involved: it will be copied from private memory once it is complete. */
  isPrivate: boolean;
  /** `counted`: its bytes count as private memory; `waiting`: its sender waits until there is room. */
  granted: "apart" | "waiting" | "counted";
  /** What its sender may send without a grant, while it counts as begun; else 0. */
  reserved: number;
  /** Nobody wants it any more; what still comes is dropped. */
  dropped: boolean;
}

/** The open assemblies of a link, by stream and direction. */
export class Assemblies {
  private readonly requests = new Map<number, Assembly>();
  private readonly replies = new Map<number, Assembly>();

  get(stream: number, isReply: boolean): Assembly | undefined {
    return (isReply ? this.replies : this.requests).get(stream);
  }

  add(assembly: Assembly): void {
    (assembly.isReply ? this.replies : this.requests).set(assembly.stream, assembly);
  }

  remove(assembly: Assembly): void {
    (assembly.isReply ? this.replies : this.requests).delete(assembly.stream);
  }

  all(): Assembly[] {
    return [...this.requests.values(), ...this.replies.values()];
  }
}

/** Sees to it that the private memory of a message has so many bytes: takes spare memory, or grows by doubling. */
export function makeRoom(
  { body, total, received }: Assembly,
  bytes: number,
  spare: SpareMemory,
): void {
  const { memory, tail, traceOffset } = body;
  const size = memory.buffer.byteLength;
  if (bytes <= size) return;
  const fresh = (): Memory =>
    openMemory(new ArrayBuffer(Math.min(total, Math.max(bytes, 2 * size))));
  const larger = spare.take(total) ?? fresh();
  if (received > 0) memory.node.copy(larger.node, 0, 0, received);
  body.place(larger, 0);
  body.placeTail(tail, traceOffset);
}
