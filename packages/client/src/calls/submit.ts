/** From a message to a CALL slot: now, or once there is room. */
import { KoalaError, messageOf, Status } from "@koala/interface";
import {
  SlotFlag,
  SlotKind,
  W_BLOCK_OFFSET,
  W_BLOCK_TAG,
  W_CALL,
  W_INLINE_LENGTH,
  W_METADATA_LENGTH,
  W_SEGMENT_BYTES,
  W_SEGMENT_COUNT,
  W_TARGET,
  W_TIMEOUT,
} from "@koala/protocol";
import { TracePoint, tracePoints } from "@koala/shm";
import { tooLargeError } from "../errors/limit-errors.ts";
import { abortError, RpcError, valueError } from "../errors/rpc-error.ts";
import { Written } from "../memory/message-writer.ts";
import type { Datapath } from "../mesh/datapath.ts";
import { addAbortListener, removeAbortListener } from "./abort-listeners.ts";
import { metadataBytes, type RawCallOptions, timeoutWord } from "./call-options.ts";
import type { ClientMethod } from "./client-method.ts";
import { takesStream } from "./method-kinds.ts";
import type { PendingCall } from "./pending-calls.ts";
import type { WaitingCall } from "./waiting-calls.ts";

/**
 * Writes the message and its slot. Null when the send heap is full; more has been asked for then. Throws an
 * `RpcError` when the call can't be made at all. There must be room among the pending calls, and the method
 * must be bound.
 */
export function submit(
  datapath: Datapath,
  method: ClientMethod,
  init: unknown,
  options: RawCallOptions,
  timeoutMs: number | undefined,
): PendingCall | null {
  const { writer, out } = datapath;
  const timeout = timeoutMs === undefined ? 0 : timeoutWord(timeoutMs);
  let tail: Uint8Array[] | null = null;
  let metadataLength = 0;
  if (options.metadata !== undefined && options.metadata.length > 0) {
    const bytes = metadataBytes(options.metadata, datapath.limits.metadataBytesMax);
    tail = [bytes];
    metadataLength = bytes.length;
  }
  const { trace } = options;
  if (trace !== undefined) tail = tail === null ? [trace] : [trace, ...tail];
  const hasMessage = !takesStream(method.schema.kind);
  const written = hasMessage
    ? writeRequest(datapath, method, init, tail)
    : tail === null
      ? Written.OK
      : writer.writeTail(tail);
  if (written === Written.TOO_LARGE) {
    throw tooLargeError(`${method.name}: request`, writer.wanted, datapath.limits.messageBytesMax);
  }
  if (written === Written.HEAP_FULL) {
    if (datapath.regions.want(writer.wanted)) return null;
    throw new RpcError(
      Status.RESOURCE_EXHAUSTED,
      `${method.name}: no room for a block of ${writer.wanted} bytes in the send heap (limits.send_heap = ${datapath.limits.sendHeapBytesMax} bytes of the daemon: ${datapath.regions.refusal}); raise it in koala.toml [limits] send_heap`,
    );
  }
  const hasBlock = hasMessage || tail !== null;
  const call = datapath.pending.take();
  call.method = method;
  call.tag = writer.tag;
  call.offset = writer.offset;
  call.hasBlock = hasBlock;
  if (!hasBlock) datapath.pending.withoutBlock++;
  call.view = options.view === true;
  call.onHeader = options.onHeaderEntries ?? null;
  call.onTrailer = options.onTrailerEntries ?? null;
  if (timeout !== 0) {
    const now = performance.now();
    call.deadline = now + timeout;
    datapath.deadlines.start(now);
  }
  if (hasBlock && writer.segmentCount !== 0) {
    datapath.send.holdSegments(writer.tag, writer.offset, writer.segments);
  }
  const at = out.reserve();
  const { words } = out;
  const flags =
    (options.waitForReady === true ? SlotFlag.WAIT_FOR_READY : 0) |
    (trace === undefined ? 0 : SlotFlag.TRACE) |
    (hasBlock ? 0 : SlotFlag.NO_BLOCK) |
    out.attachRelease(words, at);
  words[at] = SlotKind.CALL | (flags << 8) | (method.schema.index << 16);
  words[at + W_CALL] = call.id;
  words[at + W_TARGET] = method.binding.id;
  words[at + W_TIMEOUT] = timeout;
  words[at + W_BLOCK_TAG] = hasBlock ? writer.tag : 0;
  words[at + W_BLOCK_OFFSET] = hasBlock ? writer.offset : 0;
  words[at + W_INLINE_LENGTH] = hasBlock ? writer.inlineLength : 0;
  words[at + W_SEGMENT_COUNT] = hasBlock ? writer.segmentCount : 0;
  words[at + W_SEGMENT_BYTES] = hasBlock ? writer.segmentBytes : 0;
  words[at + W_METADATA_LENGTH] = metadataLength;
  words[at + 10] = 0;
  if (tracePoints !== null) tracePoints.note(TracePoint.SUBMITTED, call.id);
  datapath.schedule();
  return call;
}

function writeRequest(
  datapath: Datapath,
  method: ClientMethod,
  init: unknown,
  tail: Uint8Array[] | null,
): Written {
  try {
    const message = method.complete(init);
    return datapath.writer.write(method.input, message, method.guess, tail);
  } catch (cause) {
    if (cause instanceof RpcError) throw cause;
    throw valueError(Status.INVALID_ARGUMENT, `${method.name}: request`, cause);
  }
}

/** Ties a call to its caller's signal. */
export function listenToSignal(datapath: Datapath, call: PendingCall, signal: AbortSignal): void {
  call.signal = signal;
  call.onAbort ??= () => abortPending(datapath, call);
  addAbortListener(signal, call.onAbort);
}

/**
 * Takes the call from its caller, who has the outcome before the daemon has answered: the entry stays until
 * then. What to reject with that outcome; null when the caller has one already.
 */
export function settleEarly(call: PendingCall): ((reason: unknown) => void) | null {
  const { reject, signal, stream } = call;
  call.resolve = null;
  call.reject = null;
  call.onHeader = null;
  call.onTrailer = null;
  call.deadline = Number.POSITIVE_INFINITY;
  call.signal = null;
  if (signal !== null) removeAbortListener(signal, call.onAbort!);
  stream?.abandon();
  return reject;
}

function abortPending(datapath: Datapath, call: PendingCall): void {
  const { signal } = call;
  if (call.reject === null || signal === null) return;
  const error = abortError(signal.reason);
  sendCancel(datapath, call.id, error.status);
  settleEarly(call)?.(error);
}

/** Tells the daemon that nobody waits for the call any more. */
export function sendCancel(datapath: Datapath, callId: number, status: number): void {
  if (datapath.ended) return;
  const { out } = datapath;
  const at = out.reserve();
  const { words } = out;
  words[at] = SlotKind.CANCEL;
  words[at + W_CALL] = callId;
  words[at + W_TARGET] = status;
  datapath.schedule();
}

/** Submits calls that waited for room, in order, until there is none. */
export function pumpWaiting(datapath: Datapath): void {
  const { waiting, pending } = datapath;
  for (let call = waiting.first; call !== null; call = waiting.first) {
    if (datapath.ended || pending.size >= pending.max) return;
    const outcome = submitWaiting(datapath, call);
    if (!outcome) return;
  }
}

/** False when it has to go on waiting. */
function submitWaiting(datapath: Datapath, waiting: WaitingCall): boolean {
  const { method, message, options } = waiting;
  const timeoutMs =
    waiting.deadline === Number.POSITIVE_INFINITY
      ? undefined
      : waiting.deadline - performance.now();
  try {
    const call = submit(datapath, method, message, options, timeoutMs);
    if (call === null) return false;
    method.binding.mesh.leave(waiting);
    call.resolve = waiting.resolve;
    call.reject = waiting.reject;
    if (options.signal !== undefined) listenToSignal(datapath, call, options.signal);
    waiting.stream?.open(datapath, call);
  } catch (error) {
    method.binding.mesh.leave(waiting);
    waiting.reject(asRpcError(error));
  }
  return true;
}

function asRpcError(error: unknown): unknown {
  if (error instanceof RpcError || !(error instanceof KoalaError)) return error;
  return new RpcError(Status.INTERNAL, messageOf(error), { cause: error });
}
