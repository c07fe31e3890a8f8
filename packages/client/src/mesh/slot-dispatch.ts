/** What an incoming slot is about, and who takes it. Slots come from the daemon, but nonsense must not crash. */
import { RELEASES_PER_SLOT, SlotKind, W_CALL, W_STATUS } from "@koala/protocol";
import { takeReply } from "../calls/reply.ts";
import { takeCall } from "../serving/incoming-call.ts";
import { takeCredit, takeMessage } from "../streams/message-slots.ts";
import type { Datapath } from "./datapath.ts";

/** Takes the slot at `at`. */
export function takeSlot(datapath: Datapath, words: Int32Array, at: number): void {
  const head = words[at]!;
  switch (head & 0xff) {
    case SlotKind.REPLY:
      takeReply(datapath, words, at, head);
      break;
    case SlotKind.CALL:
      takeCall(datapath, words, at, head);
      break;
    case SlotKind.MESSAGE:
      takeMessage(datapath, words, at, head);
      break;
    case SlotKind.CREDIT:
      takeCredit(datapath, words, at, head);
      break;
    case SlotKind.RELEASE:
      takeRelease(datapath, words, at, head >>> 16);
      break;
    case SlotKind.CANCEL:
      // The call may have ended meanwhile.
      datapath.incoming.get(words[at + W_CALL]!)?.cancel(words[at + W_STATUS]!);
      break;
    default:
      datapath.protocolError(`slot of kind ${head & 0xff}`);
  }
}

/** Blocks of replies, and of requests that were held, come back. */
function takeRelease(datapath: Datapath, words: Int32Array, at: number, count: number): void {
  if (count > RELEASES_PER_SLOT) {
    datapath.protocolError(`${count} blocks in a RELEASE`);
    return;
  }
  for (let i = 0; i < count; i++) {
    if (!datapath.send.free(words[at + 1 + 2 * i]!, words[at + 2 + 2 * i]!)) {
      datapath.protocolError("RELEASE of a block that is not in use");
      return;
    }
    datapath.awaitingRelease--;
  }
  datapath.hasRoom = true;
}
