/** Runs one call: from the messages of a request, through whoever answers it, to the responder. */
import type { DescMethod } from "@bufbuild/protobuf";
import type { MetadataEntry } from "@koala/protocol";
import type { Backend } from "../describe/backend.ts";
import { failed, succeeded } from "./outcome.ts";
import type { PayloadCodec } from "./payload-codec.ts";
import type { RequestMessages } from "./request-messages.ts";
import type { Responder } from "./responder.ts";

export interface CallToRun {
  readonly backend: Backend;
  readonly method: DescMethod;
  readonly codec: PayloadCodec;
  readonly requests: RequestMessages;
  readonly responder: Responder;
  readonly timeoutMs: number | undefined;
  readonly signal: AbortSignal;
  readonly metadata: readonly MetadataEntry[];
}

/** Runs it to its end; never rejects. Resolves with the status. */
export async function runCall(call: CallToRun): Promise<number> {
  const { backend, method, codec, requests, responder, timeoutMs, signal, metadata } = call;
  const isUnary = method.methodKind === "unary";
  let trailers: MetadataEntry[] = [];
  const options = {
    timeoutMs,
    signal,
    metadata,
    onHeaderEntries: (entries: MetadataEntry[]) => {
      try {
        responder.header(entries, !isUnary);
      } catch {
        // Headers that HTTP does not take, two of a kind that may be there once for instance: the call goes on without.
      }
    },
    onTrailerEntries: (entries: MetadataEntry[]) => {
      trailers = entries;
    },
  };
  let outcome = succeeded(trailers);
  try {
    if (isUnary) {
      const startedAt = performance.now();
      const request = codec.request(await requests.single(timeoutMs));
      if (timeoutMs !== undefined) {
        options.timeoutMs = Math.max(0, timeoutMs - (performance.now() - startedAt));
      }
      const room = responder.message(codec.response(await backend.unary(method, request, options)));
      if (room !== undefined) await room;
    } else {
      const takesOne = method.methodKind === "server_streaming";
      const messages = takesOne ? onlyMessage(call) : decoded(requests, codec);
      for await (const message of backend.stream(method, messages, options)) {
        const room = responder.message(codec.response(message));
        if (room !== undefined) await room;
      }
    }
    outcome = succeeded(trailers);
  } catch (error) {
    // What was wrong with the request is the reason, whatever the call made of it.
    outcome = failed(requests.problem ?? error, trailers);
  }
  responder.end(outcome);
  await requests.return();
  return outcome.status;
}

async function* onlyMessage({ requests, codec, timeoutMs }: CallToRun): AsyncGenerator<Uint8Array> {
  yield codec.request(await requests.single(timeoutMs));
}

function decoded(requests: RequestMessages, codec: PayloadCodec): AsyncIterable<Uint8Array> {
  return codec.isIdentity ? requests : translated(requests, codec);
}

async function* translated(
  requests: RequestMessages,
  codec: PayloadCodec,
): AsyncGenerator<Uint8Array> {
  for await (const message of requests) yield codec.request(message);
}
