/** What a link is made of, and whom it tells. */
import type { Connection } from "@koala/interface";
import type { ServiceOffer } from "@koala/protocol";
import type { Runtime } from "@koala/runtime";
import type { Reach } from "../datapath/binding.ts";
import type { Router } from "../datapath/router.ts";
import type { SchemaStore } from "../datapath/schema-store.ts";
import type { Translator } from "../datapath/translator.ts";
import type { Link } from "./link.ts";
import type { LinkState } from "./link-state.ts";

export interface LinkLimits {
  messageBytes: number;
  metadataBytes: number;
  schemaBytes: number;
  linkWindow: number;
  streamWindow: number;
  /** Largest frame this side takes, header and head included. */
  frameBytes: number;
  keepaliveMs: number;
}

export interface LinkOptions {
  connection: Connection;
  runtime: Runtime;
  router: Router;
  schemas: SchemaStore;
  translator: Translator;
  limits: LinkLimits;
  /** Name and instance of this daemon. */
  self: { name: string; instance: string };
  /** What this daemon offers now. */
  offers: () => ServiceOffer[];
  /** How far calls that came over this link may go. */
  reach: Reach;
  /** It goes on where another one was when its state was saved. */
  saved?: LinkState;
  /** What the runtime at the other end is called, if it is one of this daemon. */
  siblingLabel?: string;
  /** The link is up: HELLO came. */
  onUp: (link: Link) => void;
  /** The far side offers other services than before. */
  onServices?: () => void;
  /** The link has ended, and why; the connection is to be closed. Called once. */
  onDown: (link: Link, reason: string) => void;
}

/** Options that are the same for all links of a runtime. */
export type SharedLinkOptions = Pick<
  LinkOptions,
  "runtime" | "router" | "schemas" | "translator" | "limits" | "self"
>;
