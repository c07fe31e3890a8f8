/** Parts of a link's state that take a look beyond the link. */
import type { Connection, Span } from "@koala/interface";
import type { CallTable } from "../datapath/call.ts";
import type { HeldBlock } from "./link-output.ts";
import type { BlockName, StateNames } from "./link-state.ts";

const pieceBytes = 64 * 1024;

/**
 * Blocks that nothing refers to once the output is copied. A request's block goes back to its app with the
 * reply, so it is one of them only when that has been already.
 */
export function releasedBlocks(
  held: readonly HeldBlock[],
  names: StateNames,
  calls: CallTable,
): BlockName[] {
  return held.flatMap(({ stream, isReply, owner, tag, offset }) => {
    const app = names.appOf(owner);
    if (app < 0 || (!isReply && calls.get(stream >>> 0) !== undefined)) return [];
    return [{ app, tag, offset }];
  });
}

/** Everything that a connection has now. */
export function receiveAll(connection: Connection): Uint8Array {
  const pieces: Uint8Array[] = [];
  const spans: Span[] = [{ buffer: new ArrayBuffer(pieceBytes), offset: 0, length: pieceBytes }];
  for (;;) {
    const bytes = connection.receive(spans, 1);
    if (bytes <= 0) return Buffer.concat(pieces);
    pieces.push(new Uint8Array(spans[0]!.buffer.slice(0, bytes)));
  }
}
