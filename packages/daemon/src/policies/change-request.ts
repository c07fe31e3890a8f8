/** What somebody wants to be changed, and who. */
import type { PeerCredentials } from "@koala/native";
import type { PolicyModule } from "../modules/index.ts";
import type { DesiredState } from "./desired-state.ts";

/** Who asks: an admin by the kernel's word, or the daemon itself. */
export interface Requester {
  readonly uid: number;
  readonly pid: number;
  /** `admin` (the socket), `SIGHUP`, `start`. */
  readonly via: string;
}

/** Whoever has asked at the admin socket. */
export function adminRequester({ uid, pid }: PeerCredentials): Requester {
  return { uid, pid, via: "admin" };
}

/** The daemon itself. */
export function ownRequester(via: string): Requester {
  return { uid: -1, pid: -1, via };
}

export interface ChangeRequest {
  readonly who: Requester;
  readonly dryRun: boolean;
  /** For the history: `attach acl`. */
  readonly summary: string;
  readonly next: DesiredState;
  /** New code by `use`. */
  readonly upgrades: ReadonlyMap<string, PolicyModule>;
  readonly notes: readonly string[];
  /** Keys of koala.toml that wait for a restart. */
  readonly needsRestart: readonly string[];
}
