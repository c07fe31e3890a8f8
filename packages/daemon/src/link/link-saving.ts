/**
 * A link as plain data, and back. Saving changes nothing, so the link can still go on itself; what was
 * loaded goes on in two steps, because calls refer to links and links to calls.
 */
import { type Connection, KoalaError, type Span } from "@koala/interface";
import type { Call, CallTable } from "../datapath/call.ts";
import type { ParkQueue } from "../datapath/park-queue.ts";
import type { Router } from "../datapath/router.ts";
import type { FrameSender } from "./frame-sender.ts";
import type { LateReply } from "./late-reply.ts";
import type { Link } from "./link.ts";
import type { LinkCredit } from "./link-credit.ts";
import type { LinkInput } from "./link-input.ts";
import type { HeldBlock, LinkOutput } from "./link-output.ts";
import { type BlockName, type LinkState, linkStateVersion, type StateNames } from "./link-state.ts";
import type { MessageWriter } from "./message-writer.ts";
import type { ServiceList } from "./service-list.ts";

const pieceBytes = 64 * 1024;

/** What a link consists of. */
export interface LinkParts {
  link: Link;
  router: Router;
  input: LinkInput;
  output: LinkOutput;
  frames: FrameSender;
  writer: MessageWriter;
  parked: ParkQueue<Call>;
  credit: LinkCredit;
  lateReplies: LateReply[];
  offered: ServiceList;
}

export class LinkSaving {
  private readonly parts: LinkParts;

  constructor(parts: LinkParts) {
    this.parts = parts;
  }

  /** What it takes to go on elsewhere. */
  save(id: number, sibling: number, names: StateNames): LinkState {
    const { link, router, output, frames, writer, parked, credit, lateReplies, offered } =
      this.parts;
    const { label, peer, draining, bytesIn, bytesOut, framesIn } = link;
    const held = [...output.heldBlocks(), ...writer.heldBlocks()];
    return {
      version: linkStateVersion,
      id,
      fd: link.sibling ? -1 : link.connection.fd,
      sibling,
      ...{ label, peer, draining, bytesIn, bytesOut, framesIn },
      offered: [...offered.offers],
      offering: [...offered.unfinished()],
      owed: credit.owed,
      granted: credit.granted,
      output: Buffer.concat([output.save(), frames.save()]),
      credit: writer.credit,
      streamWindow: writer.streamWindow,
      frameBytes: writer.frameBytes,
      outgoing: writer.save(),
      lateReplies: [...lateReplies],
      parked: parked.waiting().map((call) => call.id),
      ...link.calls.save(),
      ...link.bindings.save(),
      released: releasedBlocks(held, names, router.calls),
    };
  }

  /** Takes the far side's bytes that lie in the connection itself, when that is not handed over. */
  takeRest(): void {
    const { link, input } = this.parts;
    const bytes = receiveAll(link.connection);
    link.bytesIn += bytes.length;
    input.load(bytes);
    link.onReady(true, false);
  }

  /** All but the calls, into a link that is new. Throws when the state is not of this version. */
  load(saved: LinkState): void {
    if (saved.version !== linkStateVersion) {
      throw new KoalaError(
        "ERR_HANDOVER_STATE",
        `the state of ${saved.label} has version ${saved.version}, expected ${linkStateVersion}`,
      );
    }
    const { link, output, writer, credit, lateReplies, offered } = this.parts;
    const { label, peer, draining, bytesIn, bytesOut, framesIn } = saved;
    Object.assign(link, { label, peer, draining, bytesOut, framesIn });
    // They are received, and counted, once more.
    link.bytesIn = bytesIn - saved.input.bytes.length;
    offered.set(saved.offered, saved.offering);
    credit.owed = saved.owed;
    credit.granted = saved.granted;
    // Positions in the output count the bytes of the connection, which may have sent some already.
    output.enqueued = link.connection.sentBytes();
    output.load(saved.output);
    writer.credit = saved.credit;
    writer.streamWindow = saved.streamWindow;
    writer.frameBytes = saved.frameBytes;
    writer.load(saved.outgoing);
    lateReplies.push(...saved.lateReplies);
    link.bindings.load(saved);
  }

  /** The calls are there: what of them the link has in hand. `Link.resume` lets it go. */
  loadCalls(saved: LinkState): void {
    const { link, router, parked } = this.parts;
    link.calls.load(saved);
    for (const id of saved.parked) {
      const call = router.calls.get(id);
      if (call !== undefined) parked.push(call);
    }
  }
}

/**
 * Blocks that nothing refers to once the output is copied. A request's block goes back to its app with the
 * reply, so it is one of them only when that has been already.
 */
function releasedBlocks(
  held: readonly HeldBlock[],
  names: StateNames,
  calls: CallTable,
): BlockName[] {
  return held.flatMap(({ stream, isRequest, owner, tag, offset }) => {
    const app = names.appOf(owner);
    if (app < 0 || (isRequest && calls.get(stream >>> 0) !== undefined)) return [];
    return [{ app, tag, offset }];
  });
}

/** Everything that a connection has now. */
function receiveAll(connection: Connection): Uint8Array {
  const pieces: Uint8Array[] = [];
  const spans: Span[] = [{ buffer: new ArrayBuffer(pieceBytes), offset: 0, length: pieceBytes }];
  for (;;) {
    const bytes = connection.receive(spans, 1);
    if (bytes <= 0) return Buffer.concat(pieces);
    pieces.push(new Uint8Array(spans[0]!.buffer.slice(0, bytes)));
  }
}
