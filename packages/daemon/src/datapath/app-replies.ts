/** Replies that an app gives to the calls it serves: REPLY slots. Part of the app's frontend engine. */
import { Origin, Status, statusFrom } from "@koala/interface";
import { SlotFlag, W_BLOCK_OFFSET, W_BLOCK_TAG, W_CALL, W_KIND, W_STATUS } from "@koala/protocol";
import { returnsStream } from "../streams/flow.ts";
import type { AppPort } from "./app-port.ts";
import type { BlockReturns } from "./block-returns.ts";
import type { Body } from "./body.ts";
import { type Call, Outcome, Parked } from "./call.ts";
import type { CallAliases } from "./call-aliases.ts";
import type { Router } from "./router.ts";
import type { SendRegions } from "./send-regions.ts";

/** What an engine lends to its replies. */
export interface AppRepliesParts {
  readonly port: AppPort;
  readonly router: Router;
  readonly send: SendRegions;
  readonly returns: BlockReturns;
  readonly aliases: CallAliases;
  /** The engine's record for the message at hand. */
  readonly body: Body;
  readonly messageBytesMax: number;
  /** The app has answered one of its calls. */
  answered(): void;
  /** The app has broken a rule. */
  violate(reason: string): void;
}

export class AppReplies {
  private readonly parts: AppRepliesParts;

  constructor(parts: AppRepliesParts) {
    this.parts = parts;
  }

  /** A REPLY slot. */
  take(slot: Int32Array): void {
    const { aliases, body, messageBytesMax, port, returns, router, send } = this.parts;
    returns.takeBeside(slot);
    const id = slot[W_CALL]! >>> 0;
    const call = aliases.take(id) ?? router.calls.get(id);
    if (call === undefined || call.callee !== port || call.parked !== Parked.NO) {
      this.parts.violate(`a reply to call ${id}, which is not open`);
      return;
    }
    this.parts.answered();
    const holds = (slot[W_KIND]! & (SlotFlag.HOLD << 8)) !== 0;
    if (!holds) returns.takeNamed(call.blockTag, call.blockOffset);
    const wrong = send.locate(slot, true, body);
    if (wrong !== "") {
      this.parts.violate(wrong);
      return;
    }
    if (call.caller === null) {
      this.release(slot);
      router.end(call);
      return;
    }
    call.status = statusFrom(slot[W_STATUS]! & 0xff);
    call.origin = Origin.REMOTE_APP;
    port.bytesOut += body.bodyBytes();
    const isBare = returnsStream(call.method!.kind);
    if (
      isBare
        ? body.inlineLength + body.segmentCount > 0
        : call.status === Status.OK && body.inlineLength === 0
    ) {
      this.parts.violate(
        isBare
          ? "a reply with a message, though its messages went before"
          : "a reply without a message, though its status is OK",
      );
      return;
    }
    if (body.bodyBytes() > messageBytesMax) {
      const text = `a reply of ${body.bodyBytes()} bytes is larger than ${messageBytesMax}; raise message in [limits] of koala.toml on the server's host`;
      this.release(slot);
      router.fail(call, Status.RESOURCE_EXHAUSTED, Origin.REMOTE_DAEMON, text);
      return;
    }
    this.pass(call, slot, body);
  }

  /** Offers a reply to the caller. */
  pass(call: Call, slot: Int32Array, body: Body): Outcome {
    const { router } = this.parts;
    const { caller } = call;
    const outcome = router.deliver(call, call.status, call.origin, body);
    if (outcome === Outcome.PARK) {
      call.parked = Parked.REPLY;
      if (slot !== call.slot) call.slot.set(slot);
      return outcome;
    }
    call.parked = Parked.NO;
    if (outcome === Outcome.INVALID) {
      const reason = caller?.invalidReason ?? "malformed message";
      router.fail(call, Status.INTERNAL, Origin.REMOTE_APP, `the server sent a ${reason}`);
      this.parts.violate(reason);
      return outcome;
    }
    if (outcome !== Outcome.HELD) this.release(slot);
    if (outcome === Outcome.UNTRANSLATABLE) router.failUntranslatable(call, "reply");
    else router.end(call);
    return outcome;
  }

  /** Takes a reply that waits elsewhere out of the app's memory; false when it is malformed. */
  detach(call: Call): boolean {
    const { body, send } = this.parts;
    const { slot } = call;
    if (call.copy === null) {
      if (send.locate(slot, true, body) !== "") return false;
      call.copy = body.privateCopy();
      call.copy.owner = null;
    }
    this.release(slot);
    slot[W_KIND] = slot[W_KIND]! | (SlotFlag.NO_BLOCK << 8);
    return true;
  }

  /** The app's block of a reply is its own again. */
  release(slot: Int32Array): void {
    if ((slot[W_KIND]! & (SlotFlag.NO_BLOCK << 8)) !== 0) return;
    this.parts.port.releaseBlock(slot[W_BLOCK_TAG]!, slot[W_BLOCK_OFFSET]!);
  }
}
