/** Who answers the calls of a service: the mesh, or the gateway itself. Messages are protobuf's bytes. */
import type { DescMethod, DescService } from "@bufbuild/protobuf";
import type { MetadataEntry } from "@koala/protocol";

/** What comes along with a call. */
export interface BackendOptions {
  timeoutMs: number | undefined;
  signal: AbortSignal;
  metadata: readonly MetadataEntry[];
  /** Told of the headers of the response before its first message, when there are any. */
  onHeaderEntries: (entries: MetadataEntry[]) => void;
  /** Told of the trailers before the call ends, when there are any. */
  onTrailerEntries: (entries: MetadataEntry[]) => void;
}

/** A service that can be called. What fails rejects, or throws while it is iterated, with an `RpcError`. */
export interface Backend {
  readonly service: DescService;
  unary(method: DescMethod, request: Uint8Array, options: BackendOptions): Promise<Uint8Array>;
  stream(
    method: DescMethod,
    requests: AsyncIterable<Uint8Array>,
    options: BackendOptions,
  ): AsyncIterable<Uint8Array>;
}
