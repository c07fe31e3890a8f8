import type { Memory } from "@koala/shm";

/** Where the writer puts large bytes. */
export interface SegmentSink {
  /**
   * Called for bytes of at least `segmentBytesMin`, in the order of their fields. Returns the segment's index
   * (0, 1, 2, …), or -1 when there is no room: the writer then puts them inline. The sink decides
   * whether to copy. A caller that retries `write` starts with an empty sink again.
   */
  add(bytes: Uint8Array): number;
}

/**
 * What can be done with messages of one type in memory. Every body starts at a multiple of 8. The
 * functions are generated on their first use.
 */
export interface MessageCodec<T = unknown> {
  readonly typeName: string;
  /** sha256 (hex) of the layout: equal hash, equal layout. */
  readonly hash: string;
  /** Size of the root struct. */
  readonly rootBytes: number;

  /**
   * Writes `message` at `memory[offset..limit)`. Returns the inline length (a multiple of 8), or minus the
   * bytes to try next when it does not fit. Throws only a KoalaError `ERR_SCHEMA_VALUE` that names type
   * and field, for a value that its field can't have.
   */
  write(message: T, memory: Memory, offset: number, limit: number, segments: SegmentSink): number;

  /**
   * Reads a validated message: `inlineLength` bytes at `offset`, then the segments one after the other,
   * each padded to a multiple of 8. Everything is copied out.
   */
  read(memory: Memory, offset: number, inlineLength: number): T;

  /**
   * A lazy view with the same TypeScript type: fields are decoded when they are asked for, bytes are views of
   * `memory`. Valid until the owner of the block releases it.
   */
  view(memory: Memory, offset: number, inlineLength: number): T;

  /**
   * 0 when a message from an untrusted place is in order, else an index into `validateReasons`. Never
   * throws, never reads outside of the inline part, and takes time linear in its length.
   */
  validate(
    memory: Memory,
    offset: number,
    inlineLength: number,
    segmentLengths: Int32Array,
    segmentCount: number,
  ): number;
}
