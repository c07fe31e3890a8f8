/**
 * What a frontend engine hands to its successor: in the same thread (newer code), in another runtime of
 * the daemon (migration), or in the daemon that replaces this one. Plain values that can be cloned; memory
 * goes along as descriptors. A change of its meaning needs a new version.
 *
 * It is taken while the engine is suspended and flushed, so both rings go on exactly where their shared
 * positions say. The receive regions do not go along: they were sealed so that nobody can map them for
 * writing again. The successor makes new ones; of the old ones only the names of blocks go along that the
 * app has not given back (`LegacyRegion`).
 */
import type { Origin, Status } from "@koala/interface";

export const endpointStateVersion = 2;

export interface SendRegionState {
  readonly id: number;
  readonly fd: number;
  readonly bytes: number;
}

/** A receive region that the app still reads blocks of, and that nobody writes any more. */
export interface LegacyRegion {
  readonly id: number;
  readonly bytes: number;
  /** Tag and offset of each block that has not come back, one after the other. */
  readonly blocks: Int32Array;
}

export interface ReceiveState {
  readonly legacy: readonly LegacyRegion[];
  /** By region id: the highest generation of its blocks, even. */
  readonly generations: readonly number[];
  /** The id that the next region should get, unless it is taken. */
  readonly nextRegion: number;
}

/** A reply without message that found no room in the app's ring. */
export interface LateReply {
  readonly callerId: number;
  readonly status: Status;
  readonly origin: Origin;
  readonly message: string;
  readonly hold: boolean;
  /** Encoded metadata. */
  readonly trailers: Uint8Array | null;
}

/** A cancellation that found no room in the app's ring. */
export interface LateCancel {
  /** As the app knows the call. */
  readonly id: number;
  readonly reason: Status;
}

export interface EndpointState {
  readonly version: number;
  readonly id: number;
  readonly label: string;
  /** All but the first region, which the app's host has. */
  readonly send: readonly SendRegionState[];
  readonly receive: ReceiveState;
  readonly lateReplies: readonly LateReply[];
  readonly lateCancels: readonly LateCancel[];
  /** Tag and offset of the app's send blocks that it has not been told are free again, one after the other. */
  readonly releases: readonly number[];
  /** CALL slots that were read from the app's ring and not passed on, in order. */
  readonly deferred: readonly Int32Array[];
  readonly callsMade: number;
  readonly callsServed: number;
}

/** Every descriptor in a state, in a fixed order. */
export function endpointDescriptors(state: EndpointState): number[] {
  return state.send.map(({ fd }) => fd);
}

/** The same state with other numbers for its descriptors, in the same order. */
export function withEndpointDescriptors(
  state: EndpointState,
  fds: readonly number[],
): EndpointState {
  return { ...state, send: state.send.map((region, i) => ({ ...region, fd: fds[i]! })) };
}
