import { KoalaError } from "@koala/interface";
import { suggest } from "../suggestion.ts";
import { peers } from "./catalog.ts";
import type { Peer } from "./peer.ts";

/** The peer of this name; `ERR_EVAL_PEER` when there is none. */
export function findPeer(name: string): Peer {
  const found = peers.find((each) => each.name === name);
  if (found !== undefined) return found;
  const names = peers.map((each) => each.name);
  const near = suggest(name, names);
  const hint = near === undefined ? "" : ` Did you mean "${near}"?`;
  throw new KoalaError(
    "ERR_EVAL_PEER",
    `there is no peer "${name}".${hint} There are: ${names.join(", ")}`,
  );
}
