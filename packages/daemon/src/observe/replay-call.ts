/** A recorded call as the policy engine sees it while it is replayed. */
import { Origin, originName, type Status } from "@koala/interface";
import type { Caller, TraceContext } from "@koala/policy";
import {
  type CallSource,
  type MessageSource,
  type MetadataEntry,
  malformedMessage,
} from "@koala/policy/engine";
import { decodeMetadata } from "@koala/protocol";
import type { MethodSchema } from "@koala/schema";
import type { CallRecord } from "./call-records.ts";
import type { Decoded } from "./message-decoder.ts";
import type { RawCall } from "./observe-orders.ts";

/** What became of a message before the policy saw it. */
class ReplayMessage implements MessageSource {
  readonly bytes: number;
  private message: unknown;
  private list: readonly MetadataEntry[];
  private readonly isMissing: boolean;

  constructor(bytes: number, decoded: Decoded | undefined, entries: readonly MetadataEntry[]) {
    this.bytes = bytes;
    this.message = decoded?.message;
    this.isMissing = decoded !== undefined && decoded.message === undefined;
    this.list = entries;
  }

  read(): unknown {
    if (this.isMissing) throw malformedMessage;
    return this.message;
  }

  replace(message: unknown): void {
    this.message = message;
  }

  entries(): readonly MetadataEntry[] {
    return this.list;
  }

  setEntries(entries: readonly MetadataEntry[]): void {
    this.list = entries;
  }
}

export class ReplayCall implements CallSource {
  readonly record: CallRecord;
  readonly method: MethodSchema;
  readonly caller: Caller;
  readonly request: MessageSource;
  readonly response: MessageSource;
  /** Unknown: deadlines are not recorded. */
  readonly timeLeftMs = 0;
  readonly endpoint = undefined;
  trace: TraceContext | undefined = undefined;
  priority = 0;
  /** Told when a policy lets a held call go on, or denies it. */
  onWake: () => void = () => {};

  constructor(
    { record, labels, metadata }: RawCall,
    method: MethodSchema,
    request: Decoded | undefined,
    reply: Decoded | undefined,
  ) {
    this.record = record;
    this.method = method;
    this.caller = { ...record.caller, labels };
    const entries = metadata === undefined ? [] : (decodeMetadata(metadata) ?? []);
    this.request = new ReplayMessage(record.requestBytes, request, entries);
    this.response = new ReplayMessage(record.replyBytes, reply, []);
  }

  get requestId(): string {
    return this.record.id;
  }
  get target(): string {
    return this.record.target;
  }
  get service(): string {
    return this.record.service;
  }
  get status(): Status {
    return this.record.status as Status;
  }
  get origin(): Origin {
    const origins = Object.values(Origin);
    return origins.find((origin) => originName(origin) === this.record.origin) ?? Origin.REMOTE_APP;
  }
  get statusMessage(): string {
    return this.record.message;
  }

  wake(): void {
    this.onWake();
  }
}
