/**
 * The app's send heap: blocks for messages, the segments that belong to a block, and memory that users
 * have taken with `mesh.bytes`.
 */
import { closeFd } from "@koala/native";
import { closeRegion, Heap, type Memory, mapRegion } from "@koala/shm";

/** A block is named by tag and offset; region and offset alone are unique while it is in use. */
function keyOf(tag: number, offset: number): number {
  return (tag >>> 16) * 0x2000000 + (offset >>> 6);
}

const firstRegion = 0;

/** A block that a user writes into and has not sent yet. */
interface UserBlock {
  readonly tag: number;
  readonly offset: number;
  readonly bytes: number;
}

export class SendHeap {
  readonly heap: Heap;
  /** Segments of blocks that the daemon still has, by the key of the block: tag, offset, tag, offset. */
  private readonly segments = new Map<number, readonly number[]>();
  private readonly userBlocks = new Map<number, UserBlock>();
  private readonly regionOfBuffer = new WeakMap<ArrayBufferLike, number>();
  private readonly memories = new Map<number, Memory>();
  private readonly forgotten: FinalizationRegistry<UserBlock>;
  private ended = false;

  /** `first`: the region that begins with `firstBytes` of heap. */
  constructor(first: Memory, firstBytes: number) {
    this.heap = new Heap(firstRegion, first, [], firstBytes);
    this.note(firstRegion, first);
    this.forgotten = new FinalizationRegistry((block) => this.forget(block));
  }

  addRegion(id: number, fd: number, bytes: number): void {
    const memory = takeRegion(fd, bytes);
    this.heap.addRegion(id, memory);
    this.note(id, memory);
  }

  /** Unmaps a region that has been empty since `moment`; its id, -1 when there is none. */
  dropIdleRegion(moment: number): number {
    const id = this.heap.takeIdleRegion(moment);
    if (id !== -1) {
      closeRegion(this.memories.get(id)!);
      this.memories.delete(id);
    }
    return id;
  }

  /** Remembers the segments of a block, to free them with it. */
  holdSegments(tag: number, offset: number, segments: readonly number[]): void {
    this.segments.set(keyOf(tag, offset), segments);
  }

  /** Frees a block and its segments; false when there is no such block. */
  free(tag: number, offset: number): boolean {
    if (this.segments.size !== 0) {
      const key = keyOf(tag, offset);
      const segments = this.segments.get(key);
      if (segments !== undefined) {
        this.segments.delete(key);
        this.freeSegments(segments);
      }
    }
    return this.heap.free(tag, offset);
  }

  freeSegments(segments: readonly number[]): void {
    for (let i = 0; i < segments.length; i += 2) this.heap.free(segments[i]!, segments[i + 1]!);
  }

  /** Memory for a user to fill; undefined when the heap has no room. */
  takeBytes(bytes: number): Uint8Array | undefined {
    if (!this.heap.allocate(bytes)) return undefined;
    const { tag, offset, memory } = this.heap;
    const array = new Uint8Array(memory.buffer, offset, bytes);
    const block = { tag, offset, bytes };
    this.userBlocks.set(keyOf(tag, offset), block);
    this.forgotten.register(array, block, block);
    return array;
  }

  /**
   * The block behind bytes that came from `takeBytes` and have not been sent: its tag, 0 when the bytes
   * are ordinary memory, -1 when they are in the heap but are not (any more) what a user may send.
   */
  userTag(bytes: Uint8Array): number {
    const region = this.regionOfBuffer.get(bytes.buffer);
    if (region === undefined) return 0;
    const block = this.userBlocks.get(keyOf(region << 16, bytes.byteOffset));
    if (block === undefined || (bytes.byteOffset & 63) !== 0) return -1;
    return bytes.length <= block.bytes ? block.tag : -1;
  }

  /** The user's block goes with a message: from here on it is freed like any other. */
  passBytes(tag: number, offset: number): void {
    const key = keyOf(tag, offset);
    const block = this.userBlocks.get(key);
    if (block === undefined) return;
    this.userBlocks.delete(key);
    this.forgotten.unregister(block);
  }

  /**
   * The connection is gone. Mappings stay as long as a user holds bytes in them and are unmapped by
   * the collector then, so that such bytes keep their contents.
   */
  close(): void {
    this.ended = true;
    if (this.userBlocks.size !== 0) return;
    for (const memory of this.memories.values()) closeRegion(memory);
    this.memories.clear();
  }

  private note(id: number, memory: Memory): void {
    this.memories.set(id, memory);
    this.regionOfBuffer.set(memory.buffer, id);
  }

  private forget(block: UserBlock): void {
    if (this.ended || !this.userBlocks.delete(keyOf(block.tag, block.offset))) return;
    this.heap.free(block.tag, block.offset);
  }
}

function takeRegion(fd: number, bytes: number): Memory {
  try {
    return mapRegion(fd, bytes, true);
  } finally {
    closeFd(fd);
  }
}
