/** What becomes of an app's block when a link has sent what lies in it. */
import type { CallTable } from "../datapath/call.ts";
import type { HeldBlock } from "./link-output.ts";

/** The block is the app's again: now, or with the reply of its call if that is still open. */
export function returnBlock(calls: CallTable, held: HeldBlock): void {
  const { stream, isRequest, owner, tag, offset } = held;
  const call = isRequest ? calls.get(stream >>> 0) : undefined;
  if (call === undefined) owner.releaseBlock(tag, offset);
  else call.holdsRequest = false;
}
