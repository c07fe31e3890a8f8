/**
 * Bindings across a link, both directions: what this host wants to call over there, and what the far
 * host wants to call here. Schemas travel once a link and only if the far daemon does not know them.
 */
import { KoalaError, Status } from "@koala/interface";
import type { Caller } from "@koala/policy";
import {
  type Bind,
  FrameType,
  type Hello,
  type Refused,
  SHORT_HEADER_BYTES,
} from "@koala/protocol";
import type { ServiceSchema } from "@koala/schema";
import {
  type Binding,
  createBinding,
  type LinkBindingState,
  type Reach,
} from "../datapath/binding.ts";
import type { Party } from "../datapath/call.ts";
import type { Router } from "../datapath/router.ts";
import type { SchemaStore } from "../datapath/schema-store.ts";
import { LinkDescriptions } from "./link-descriptions.ts";
import type { LinkState } from "./link-state.ts";

/** Bindings one daemon may have on a link. */
const bindingsMax = 4096;
/** Bytes of a schema in one frame. */
const schemaPieceBytes = 64 * 1024;

/** How the bindings send frames. */
export interface ColdSender {
  sendJson(type: FrameType, stream: number, value: unknown): void;
  sendBytes(type: FrameType, stream: number, value: number, bytes: Uint8Array): void;
}

interface Mine {
  readonly id: number;
  readonly target: string;
  readonly caller: Caller;
  readonly schema: ServiceSchema;
  state: LinkBindingState;
  schemaSent: boolean;
}

interface Incomplete {
  readonly bind: Bind;
  readonly pieces: Uint8Array[];
  bytes: number;
}

export interface LinkBindingsOptions {
  link: Party & { readonly peer: Hello | null };
  sender: ColdSender;
  router: Router;
  schemas: SchemaStore;
  schemaBytesMax: number;
  /** How far calls that came over this link may go. */
  reach: Reach;
  /** The daemon over there, for callers of its host; undefined for a sibling, whose callers may be from anywhere. */
  hostName: () => string | undefined;
}

export class LinkBindings {
  private readonly options: LinkBindingsOptions;
  private readonly mine = new Map<string, Mine>();
  private readonly mineById: Mine[] = [];
  private readonly theirs = new Map<number, Binding>();
  private readonly incomplete = new Map<number, Incomplete>();
  /** Descriptors for those who have no code of a service. */
  readonly descriptions: LinkDescriptions;

  constructor(options: LinkBindingsOptions) {
    this.options = options;
    this.descriptions = new LinkDescriptions(options);
  }

  /** The state of a binding of this host, asking for it if that has not happened yet. */
  stateOf(binding: Binding): LinkBindingState {
    const { target, schema, identity: caller } = binding;
    const key = keyOf(target, schema, caller);
    let mine = this.mine.get(key);
    if (mine === undefined) {
      const id = this.mineById.length;
      mine = { id, target, caller, schema, state: { state: "pending" }, schemaSent: false };
      this.mine.set(key, mine);
      this.mineById.push(mine);
      const { app, host, uid, labels } = caller;
      const bind: Bind = {
        target,
        service: schema.typeName,
        hash: schema.hash,
        caller: { app, host, uid, labels },
      };
      this.options.sender.sendJson(FrameType.BIND, mine.id, bind);
    }
    return mine.state;
  }

  /** What the far host offers has changed: what was refused may be asked for again. */
  forgetRefusals(): void {
    for (const [key, mine] of this.mine) if (mine.state.state === "refused") this.mine.delete(key);
  }

  /** A binding of the far host by the id it gave it. */
  theirBinding(id: number): Binding | undefined {
    return this.theirs.get(id);
  }

  /** What the far host wants to call here. */
  served(): Iterable<Binding> {
    return this.theirs.values();
  }

  /** The far daemon agreed, or refused. Returns what is wrong, "" if nothing. */
  onAnswer(id: number, refused: Refused | null): string {
    const mine = this.mineById[id];
    if (mine === undefined) return `an answer to binding ${id}, which was not asked for`;
    mine.state =
      refused === null
        ? { state: "bound", id }
        : { state: "refused", status: refused.status as Status, message: refused.message };
    this.options.router.routesChanged();
    return "";
  }

  onNeedSchema(id: number): string {
    const mine = this.mineById[id];
    if (mine === undefined) return `a request for the schema of binding ${id}, which is none`;
    if (mine.schemaSent) return `a request for the schema of binding ${id} again`;
    mine.schemaSent = true;
    const bytes = mine.schema.descriptorSet;
    for (let at = 0; at < bytes.length; at += schemaPieceBytes) {
      const piece = bytes.subarray(at, at + schemaPieceBytes);
      this.options.sender.sendBytes(FrameType.SCHEMA, id, bytes.length, piece);
    }
    return "";
  }

  onBind(id: number, bind: Bind): string {
    if (id < 0 || this.theirs.has(id) || this.incomplete.has(id)) return `binding ${id} twice`;
    if (this.theirs.size + this.incomplete.size >= bindingsMax) {
      this.refuse(
        id,
        "ERR_LINK_BINDINGS",
        Status.RESOURCE_EXHAUSTED,
        `more than ${bindingsMax} bindings`,
      );
      return "";
    }
    const schema = this.options.schemas.acquire(bind.service, bind.hash);
    if (schema !== undefined) {
      this.accept(id, bind, schema);
      return "";
    }
    this.incomplete.set(id, { bind, pieces: [], bytes: 0 });
    this.options.sender.sendBytes(FrameType.NEED_SCHEMA, id, 0, new Uint8Array(0));
    return "";
  }

  /** A piece of a schema, of `total` bytes, that belongs to a binding or to a description. */
  onPiece(type: number, id: number, total: number, frame: Uint8Array): string {
    if (type === FrameType.SCHEMA) return this.onSchema(id, total, frame);
    return this.descriptions.onPiece(id, total, frame);
  }

  private onSchema(id: number, total: number, frame: Uint8Array): string {
    const incomplete = this.incomplete.get(id);
    if (incomplete === undefined) return `a schema for binding ${id}, which was not asked for`;
    if (total <= 0 || total > this.options.schemaBytesMax) {
      return `a schema of ${total} bytes, expected up to ${this.options.schemaBytesMax}`;
    }
    const piece = frame.slice(SHORT_HEADER_BYTES, SHORT_HEADER_BYTES + total - incomplete.bytes);
    if (piece.length === 0) return "an empty piece of a schema";
    incomplete.pieces.push(piece);
    incomplete.bytes += piece.length;
    if (incomplete.bytes < total) return "";
    this.incomplete.delete(id);
    const { bind } = incomplete;
    try {
      const bytes = Buffer.concat(incomplete.pieces);
      this.accept(id, bind, this.options.schemas.compile(bytes, bind.service, bind.hash));
    } catch (error) {
      if (!(error instanceof KoalaError)) throw error;
      this.refuse(id, error.code, Status.INVALID_ARGUMENT, error.message);
    }
    return "";
  }

  save(): Pick<LinkState, "mine" | "theirs" | "incomplete"> {
    const known = new Set(this.mine.values());
    return {
      mine: this.mineById.map((mine) => ({
        target: mine.target,
        caller: mine.caller,
        service: mine.schema.typeName,
        hash: mine.schema.hash,
        isKnown: known.has(mine),
        schemaSent: mine.schemaSent,
        state: mine.state,
      })),
      theirs: [...this.theirs.values()].map(({ id, target, identity, schema }) => ({
        id,
        target,
        caller: identity,
        service: schema.typeName,
        hash: schema.hash,
      })),
      incomplete: [...this.incomplete].map(([id, { bind, pieces }]) => ({ id, bind, pieces })),
    };
  }

  /** Goes on with what `save` gave. The store has all schemas that it names. */
  load(state: Pick<LinkState, "mine" | "theirs" | "incomplete">): void {
    for (const {
      target,
      caller,
      service,
      hash,
      isKnown,
      schemaSent,
      state: answer,
    } of state.mine) {
      const schema = this.acquire(service, hash);
      // A link's own bindings do not count as users: those of its callers do.
      this.options.schemas.release(schema);
      const mine = { id: this.mineById.length, target, caller, schema, state: answer, schemaSent };
      this.mineById.push(mine);
      if (isKnown) this.mine.set(keyOf(target, schema, caller), mine);
    }
    for (const { id, target, caller, service, hash } of state.theirs) {
      const schema = this.acquire(service, hash);
      this.theirs.set(id, this.createTheirs(id, caller, target, schema));
    }
    for (const { id, bind, pieces } of state.incomplete) {
      const bytes = pieces.reduce((sum, piece) => sum + piece.length, 0);
      this.incomplete.set(id, { bind, pieces: [...pieces], bytes });
    }
  }

  private acquire(service: string, hash: string): ServiceSchema {
    const schema = this.options.schemas.acquire(service, hash);
    if (schema !== undefined) return schema;
    throw new KoalaError(
      "ERR_HANDOVER_STATE",
      `the state of a link names the schema ${hash.slice(0, 12)}… of ${service}, which did not come with it`,
    );
  }

  private createTheirs(id: number, caller: Caller, target: string, schema: ServiceSchema): Binding {
    const { link, reach } = this.options;
    return createBinding(id, link, caller, target, schema, reach);
  }

  close(): void {
    this.descriptions.close();
    for (const binding of this.theirs.values()) this.options.schemas.release(binding.schema);
    this.theirs.clear();
    this.incomplete.clear();
  }

  private accept(id: number, bind: Bind, schema: ServiceSchema): void {
    const { router, sender, hostName } = this.options;
    // What a daemon says of its callers is believed, but not on which host they are.
    const caller = { ...bind.caller, host: hostName() ?? bind.caller.host, pid: 0 };
    const binding = this.createTheirs(id, caller, bind.target, schema);
    const conflict = router.conflictOf(binding);
    if (conflict !== undefined) {
      this.options.schemas.release(schema);
      this.refuse(id, conflict.code, Status.FAILED_PRECONDITION, conflict.message);
      return;
    }
    this.theirs.set(id, binding);
    sender.sendBytes(FrameType.BOUND, id, 0, new Uint8Array(0));
  }

  private refuse(id: number, code: string, status: Status, message: string): void {
    const refused: Refused = { code, status, message: message.slice(0, 8000) };
    this.options.sender.sendJson(FrameType.REFUSED, id, refused);
  }
}

/** Callers that are alike share a binding, however many apps they are. */
function keyOf(target: string, schema: ServiceSchema, { app, host, uid, labels }: Caller): string {
  return JSON.stringify([target, schema.typeName, schema.hash, app, host, uid, labels]);
}
