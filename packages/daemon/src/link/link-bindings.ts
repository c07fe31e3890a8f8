/**
 * Bindings across a link, both directions: what this host wants to call over there, and what the far
 * host wants to call here. Schemas travel once a link and only if the far daemon does not know them.
 */
import { KoalaError, Status } from "@koala/interface";
import { type Bind, FrameType, type Refused, SHORT_HEADER_BYTES } from "@koala/protocol";
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
  link: Party;
  sender: ColdSender;
  router: Router;
  schemas: SchemaStore;
  schemaBytesMax: number;
  /** How far calls that came over this link may go. */
  reach: Reach;
}

export class LinkBindings {
  private readonly options: LinkBindingsOptions;
  private readonly mine = new Map<string, Mine>();
  private readonly mineById: Mine[] = [];
  private readonly theirs = new Map<number, Binding>();
  private readonly incomplete = new Map<number, Incomplete>();

  constructor(options: LinkBindingsOptions) {
    this.options = options;
  }

  /** The state of a binding of this host, asking for it if that has not happened yet. */
  stateOf(binding: Binding): LinkBindingState {
    const { target, schema } = binding;
    const key = `${target}#${schema.typeName}#${schema.hash}`;
    let mine = this.mine.get(key);
    if (mine === undefined) {
      mine = { id: this.mineById.length, schema, state: { state: "pending" }, schemaSent: false };
      this.mine.set(key, mine);
      this.mineById.push(mine);
      const bind: Bind = { target, service: schema.typeName, hash: schema.hash };
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

  /** A piece of a schema of `total` bytes. */
  onSchema(id: number, total: number, frame: Uint8Array): string {
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

  close(): void {
    for (const binding of this.theirs.values()) this.options.schemas.release(binding.schema);
    this.theirs.clear();
    this.incomplete.clear();
  }

  private accept(id: number, bind: Bind, schema: ServiceSchema): void {
    const { link, router, sender, reach } = this.options;
    const binding = createBinding(id, link, bind.target, schema, reach);
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
