/** A status of the daemon's own that waits for room in a link's output. */
export interface LateReply {
  readonly stream: number;
  /** Status and origin, as the frame has them. */
  readonly value16: number;
  readonly message: string;
  /** Encoded metadata. */
  readonly trailers: Uint8Array | null;
}
