/** `koalactl call`: an app like any other, for one call. */
import { type Message, toJson } from "@bufbuild/protobuf";
import type { CallOptions, MetadataEntry } from "@koala/mrpc";
import { type CallTarget, findTarget } from "./call-target.ts";
import { readText } from "./context.ts";
import { usageError } from "./exit-code.ts";
import { requestFromJson } from "./json-request.ts";
import type { Output } from "./output.ts";

/** What stands on the command line behind `call`. */
export interface CallFlags {
  prefix: string;
  method: string;
  /** JSON, `@FILE`, or `-` for standard input. */
  data: string;
  target: string | undefined;
  timeoutMs: number;
  metadata: readonly MetadataEntry[];
  wait: boolean;
}

type CallFunction = (request: Message, options: CallOptions) => Promise<Message>;

/** Makes the call and prints its reply; rejects with an `RpcError` when it fails. */
export async function runCall(flags: CallFlags, output: Output): Promise<void> {
  const { prefix, timeoutMs, wait, metadata } = flags;
  const startedAt = performance.now();
  const target = await findTarget(prefix, flags.method, flags.target, wait ? timeoutMs : 0);
  const { method, registry } = target;
  const request = requestFromJson(readText(flags.data, "the request"), {
    desc: method.input,
    registry,
  });
  const log = (level: string, message: string): void => {
    if (level !== "info") output.note(`koalactl: ${message}`);
  };
  // Here and not above: the other commands need no addon, and `doctor` says what is wrong with it.
  const { connect } = await import("@koala/mrpc");
  const mesh = await connect({ prefix, name: "koalactl", waitMs: timeoutMs, log });
  try {
    // The time that finding out has taken is part of what the caller has allowed.
    const leftMs = Math.max(1, timeoutMs - (performance.now() - startedAt));
    const trailers: MetadataEntry[] = [];
    const sentAt = performance.now();
    const client = mesh.client(target.service, target.name) as unknown as Record<
      string,
      CallFunction
    >;
    const reply = await client[method.localName]!(request, {
      timeoutMs: leftMs,
      waitForReady: wait,
      metadata,
      onTrailerEntries: (entries) => trailers.push(...entries),
    });
    const tookMs = performance.now() - sentAt;
    print(reply, target, trailers, tookMs, output);
  } finally {
    await mesh.close();
  }
}

function print(
  reply: Message,
  { name, service, method, registry }: CallTarget,
  trailers: readonly MetadataEntry[],
  tookMs: number,
  output: Output,
): void {
  const json = toJson(method.output, reply, { registry });
  if (output.format === "json") {
    output.json(json);
    return;
  }
  output.line(JSON.stringify(json, undefined, 2));
  for (const [key, value] of trailers) {
    const text = typeof value === "string" ? value : Buffer.from(value).toString("base64");
    output.note(`${key}: ${text}`);
  }
  output.note(`OK  ${service.typeName}/${method.name} at ${name}, ${tookMs.toFixed(1)} ms`);
}

/** `key: value` of `-H`; the value of a key that ends in `-bin` is base64. */
export function parseMetadata(text: string): MetadataEntry {
  const colon = text.indexOf(":");
  if (colon < 1) throw usageError(`-H "${text}": expected key:value`);
  const key = text.slice(0, colon).trim().toLowerCase();
  const value = text.slice(colon + 1).trim();
  if (!/^[0-9a-z_.-]{1,128}$/.test(key)) {
    throw usageError(`-H "${text}": a key has 1 to 128 of a-z 0-9 . _ -`);
  }
  if (!key.endsWith("-bin")) return [key, value];
  if (!/^(?:[0-9A-Za-z+/_-]{4})*[0-9A-Za-z+/_-]{0,3}={0,2}$/.test(value)) {
    throw usageError(`-H "${text}": the value of a key that ends in -bin is base64`);
  }
  return [key, new Uint8Array(Buffer.from(value, "base64"))];
}
