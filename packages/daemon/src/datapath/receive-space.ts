/**
 * An app's receive heap from the daemon's side: finds room for a message, puts it there in one piece,
 * validates it where the app can't change it any more, and grows and shrinks the heap.
 *
 * ```
 * block:  inline part │ segment, segment, … (each padded to 8) │ trace │ metadata │ status message │ details
 * ```
 */
import { KoalaError } from "@koala/interface";
import { closeFd } from "@koala/native";
import type { MessageCodec, Transcoder } from "@koala/schema";
import { closeRegion, createRegion, Heap, type Region } from "@koala/shm";
import type { Body } from "./body.ts";
import { Outcome } from "./call.ts";
import { copyBytes } from "./copy-bytes.ts";
import type { LegacyRegion, ReceiveState } from "./endpoint-state.ts";
import { LegacyRegions } from "./legacy-regions.ts";
import { checkMessage, type Translator } from "./translator.ts";

/** An empty region goes back to the system after this time without use. */
export const regionIdleMs = 5000;
/**
 * An id is used again after so many others: the app may read a slot that names a region before it hears
 * that the one which had this id before is gone.
 */
const regionIds = 32;

const nothingSaved: ReceiveState = { legacy: [], generations: [], nextRegion: 0 };

export interface ReceiveSpaceOptions {
  label: string;
  translator: Translator;
  /** All regions together, bytes. */
  bytesMax: number;
  /** Size of a region unless a message needs a larger one, bytes. */
  regionBytes: number;
  /** Passes a new region to the app; false when the app can't take it now. */
  announce: (id: number, region: Region) => boolean;
  /** Tells the app to unmap a region. */
  retract: (id: number) => void;
  /** The first region could not be had just now: who waits for room has to be let try again. */
  tryLater: () => void;
  /** What an earlier engine of this app knew; null for a new app. */
  saved: ReceiveState | null;
}

/** What a receive heap holds, with what is left of earlier ones. */
export interface ReceiveUsage {
  regionBytes: number;
  /** Blocks that the app has not given back. */
  blocks: number;
}

export class ReceiveSpace {
  readonly heap: Heap;
  /** Where the last message was put, for the slot: the inline part's length may differ from the source's. */
  inlineLength = 0;
  /** Why the last `put` answered INVALID. */
  invalidReason = "";
  private readonly options: ReceiveSpaceOptions;
  private readonly regions = new Map<number, Region>();
  private readonly legacy: LegacyRegions;
  private readonly firstId: number;
  private nextId: number;
  /** Made when it is needed, so that an idle app costs none. */
  private first: Region | null = null;
  /** The app knows the first region. */
  private isKnown = false;

  constructor(options: ReceiveSpaceOptions) {
    this.options = options;
    const saved = options.saved ?? nothingSaved;
    this.legacy = new LegacyRegions(saved.legacy, options.retract);
    this.nextId = saved.nextRegion;
    this.firstId = this.takeId();
    this.heap = new Heap(this.firstId, null, saved.generations);
  }

  /**
   * Copies a message into a new block, whose name is in `heap.tag` and `heap.offset` afterwards.
   * `codec` is the layout the message is in, `transcoder` leads to the layout that the app expects.
   */
  put(body: Body, codec: MessageCodec, transcoder: Transcoder | null): Outcome {
    if (transcoder !== null && body.inlineLength > 0) {
      const translated = this.options.translator.translate(body, codec, transcoder);
      this.invalidReason = this.options.translator.invalidReason;
      if (translated !== undefined) return this.copyIn(translated);
      return this.invalidReason === "" ? Outcome.UNTRANSLATABLE : Outcome.INVALID;
    }
    const outcome = body.placedIn === this.heap ? this.adopt(body) : this.copyIn(body);
    if (outcome !== Outcome.DONE) return outcome;
    const { memory, offset, tag } = this.heap;
    this.invalidReason = checkMessage(codec, memory, offset, body);
    if (this.invalidReason === "") return Outcome.DONE;
    this.heap.free(tag, offset);
    return Outcome.INVALID;
  }

  /** The same for a bare status; false when there is no room. */
  putText(body: Body): boolean {
    return this.copyIn(body) === Outcome.DONE;
  }

  /** Takes a block of so many bytes, growing the heap if that is what it takes. */
  reserve(bytes: number): boolean {
    if (!this.isKnown && !this.introduce()) return false;
    return this.heap.allocate(bytes) || (this.grow(bytes) && this.heap.allocate(bytes));
  }

  /** The app gives a block back; false when it has none of that name. */
  free(tag: number, offset: number): boolean {
    return this.heap.free(tag, offset) || (this.legacy.size > 0 && this.legacy.free(tag, offset));
  }

  /** Whether a block lies in the region that stays as long as this heap. */
  isFirst(tag: number): boolean {
    return tag >>> 16 === this.firstId;
  }

  /**
   * Makes the first region, announces it, and takes back those of earlier engines that the app has no block of
   * any more; false when that can't be now. `reserve` does the same when it is due.
   */
  introduce(): boolean {
    if (this.isKnown) return true;
    this.first ??= this.make(this.options.regionBytes);
    if (this.first === null || !this.options.announce(this.firstId, this.first)) {
      this.options.tryLater();
      return false;
    }
    this.isKnown = true;
    this.regions.set(this.firstId, this.first);
    this.heap.addRegion(this.firstId, this.first.memory);
    this.legacy.dropEmpty();
    return true;
  }

  /** An earlier engine's regions are replaced now rather than with the next message. */
  renew(): void {
    if (this.legacy.size > 0) this.introduce();
  }

  usage(): ReceiveUsage {
    const { regionBytes, blocks } = this.heap.usage();
    const { legacy } = this;
    return { regionBytes: regionBytes + legacy.bytes, blocks: blocks + legacy.blocks };
  }

  /** What a successor has to know. */
  save(): ReceiveState {
    const blocks = new Map<number, number[]>();
    this.heap.forEachUsed((id, tag, offset) => {
      const known = blocks.get(id);
      if (known === undefined) blocks.set(id, [tag, offset]);
      else known.push(tag, offset);
    });
    const legacy = [...this.regions].map(([id, { memory }]): LegacyRegion => {
      const names = Int32Array.from(blocks.get(id) ?? []);
      return { id, bytes: memory.buffer.byteLength, blocks: names };
    });
    const generations = this.heap.generationsOf();
    return { legacy: [...this.legacy.save(), ...legacy], generations, nextRegion: this.nextId };
  }

  /** Whether a message of so many bytes can fit at all. */
  couldHold(bytes: number): boolean {
    return regionBytesFor(bytes, this.options.regionBytes) <= this.options.bytesMax;
  }

  /** Returns regions that nobody has used for a while; true while there are empty ones left. */
  shrink(): boolean {
    for (;;) {
      const id = this.heap.takeIdleRegion(Date.now() - regionIdleMs);
      const region = this.regions.get(id);
      if (region === undefined) return this.heap.hasEmptyRegion();
      this.regions.delete(id);
      this.options.retract(id);
      closeRegion(region.memory);
      closeFd(region.fd);
    }
  }

  close(): void {
    if (this.first !== null) this.regions.set(this.firstId, this.first);
    this.first = null;
    for (const region of this.regions.values()) {
      closeRegion(region.memory);
      closeFd(region.fd);
    }
    this.regions.clear();
  }

  private grow(bytes: number): boolean {
    const { bytesMax, regionBytes, announce } = this.options;
    const wanted = regionBytesFor(bytes, regionBytes);
    if (this.heap.usage().regionBytes + this.legacy.bytes + wanted > bytesMax) return false;
    const region = this.make(wanted);
    if (region === null) return false;
    const id = this.takeId();
    if (!announce(id, region)) {
      closeRegion(region.memory);
      closeFd(region.fd);
      return false;
    }
    this.regions.set(id, region);
    this.heap.addRegion(id, region.memory);
    return true;
  }

  /** Null when there are no descriptors or no memory left: the call waits. */
  private make(bytes: number): Region | null {
    try {
      return createRegion({
        name: `koala-receive ${this.options.label}`,
        bytes,
        appMayWrite: false,
      });
    } catch (error) {
      if (error instanceof KoalaError) return null;
      throw error;
    }
  }

  private takeId(): number {
    for (let turn = 0; turn < regionIds; turn++) {
      const id = this.nextId;
      this.nextId = id + 1 < regionIds ? id + 1 : 0;
      if (!this.isTaken(id)) return id;
    }
    let id = regionIds;
    while (this.isTaken(id)) id++;
    return id;
  }

  private isTaken(id: number): boolean {
    return this.regions.has(id) || this.legacy.has(id) || id === this.firstId;
  }

  /** The message is in its block already, with room behind it for the rest. */
  private adopt(body: Body): Outcome {
    this.heap.tag = body.placedTag;
    this.heap.offset = body.offset;
    this.heap.memory = body.memory;
    this.inlineLength = body.inlineLength;
    body.copyTail(body.memory, body.offset + body.bodyBytes());
    body.placedIn = null;
    return Outcome.DONE;
  }

  private copyIn(body: Body): Outcome {
    const bodyBytes = body.bodyBytes();
    if (!this.reserve(Math.max(8, bodyBytes + body.tailBytes()))) return Outcome.PARK;
    const { memory, offset } = this.heap;
    this.inlineLength = body.inlineLength;
    copyBytes(body.memory, body.offset, memory, offset, body.inlineLength);
    if (body.segmentCount > 0) body.copySegments(memory, offset + body.inlineLength);
    body.copyTail(memory, offset + bodyBytes);
    return Outcome.DONE;
  }
}

/** Bytes of a region for a block: the usual size, or the next power of two that holds it. */
export function regionBytesFor(blockBytes: number, regionBytes: number): number {
  let bytes = regionBytes;
  while (bytes < blockBytes + 4096) bytes *= 2;
  return bytes;
}
