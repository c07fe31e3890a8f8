/** Software of others that systems are made of: gRPC C++, proxies. */

/** What there is of a peer. */
export interface FoundPeer {
  readonly version: string;
  /** What system files say as `{NAME.KEY}`: paths of programs. */
  readonly vars: Readonly<Record<string, string>>;
}

/** Why a peer can't be had here, as a sentence that says what to install. */
export interface MissingPeer {
  readonly missing: string;
}

export interface Peer {
  readonly name: string;
  /** Looks for it, and makes it where that is possible. Does not reject; the work is done once a process. */
  find(): Promise<FoundPeer | MissingPeer>;
}

/** A peer whose search, when it fails, says why in the message of the error. */
export function peer(name: string, search: () => Promise<FoundPeer | MissingPeer>): Peer {
  let found: Promise<FoundPeer | MissingPeer> | undefined;
  return {
    name,
    find: () => {
      found ??= search().catch((error: unknown) => ({
        missing: `${name} could not be had: ${error instanceof Error ? error.message : String(error)}`,
      }));
      return found;
    },
  };
}
