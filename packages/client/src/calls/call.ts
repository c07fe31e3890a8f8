/** The way of a call into the library: what the functions of a client do. */
import { Status } from "@koala/interface";
import { TracePoint, tracePoints } from "@koala/shm";
import { abortError, RpcError } from "../errors/rpc-error.ts";
import type { ClientStream } from "../streams/client-stream.ts";
import { addAbortListener } from "./abort-listeners.ts";
import { noOptions, type RawCallOptions, timeoutWord } from "./call-options.ts";
import type { ClientMethod } from "./client-method.ts";
import { listenToSignal, submit } from "./submit.ts";
import { WaitingCall } from "./waiting-calls.ts";

type Resolve = (value: unknown) => void;
type Reject = (reason: unknown) => void;

// One executor for all promises: it leaves the functions of the newest promise here. Whoever takes them
// clears them, because they keep the promise alive, and with it the reply.
let newestResolve: Resolve | null = null;
let newestReject: Reject | null = null;
function keepFunctions(resolve: Resolve, reject: Reject): void {
  newestResolve = resolve;
  newestReject = reject;
}

/** Starts a call. Never throws: whatever goes wrong is in the promise. */
export function startCall(
  method: ClientMethod,
  init: unknown,
  options: RawCallOptions = noOptions,
): Promise<unknown> {
  if (tracePoints !== null) tracePoints.note(TracePoint.CALL, 0);
  const { datapath } = method.binding;
  const { signal } = options;
  try {
    if (signal?.aborted === true) throw abortError(signal.reason);
    if (datapath === null || !datapath.isOpen()) return waitInLine(method, init, options);
    const call = submit(datapath, method, init, options, options.timeoutMs);
    if (call === null) return waitInLine(method, init, options);
    const promise = new Promise(keepFunctions);
    call.resolve = newestResolve;
    call.reject = newestReject;
    newestResolve = null;
    newestReject = null;
    if (signal !== undefined) listenToSignal(datapath, call, signal);
    return promise;
  } catch (error) {
    return Promise.reject(error);
  }
}

/** The call can't go now: it waits, for so long as its caller or the mesh allows. */
function waitInLine(
  method: ClientMethod,
  init: unknown,
  options: RawCallOptions,
): Promise<unknown> {
  return new Promise((resolve, reject) => {
    enqueue(method, init, options, resolve, reject, null);
  });
}

/** Puts a call in line. Throws an `RpcError` when it may not wait. */
export function enqueue(
  method: ClientMethod,
  init: unknown,
  options: RawCallOptions,
  resolve: Resolve,
  reject: Reject,
  stream: ClientStream | null,
): void {
  const { mesh, datapath } = method.binding;
  const refusal = mesh.refusal();
  if (refusal !== null) throw refusal;
  const timeout = timeoutWord(options.timeoutMs);
  const deadline = timeout === 0 ? Number.POSITIVE_INFINITY : performance.now() + timeout;
  const call = new WaitingCall(method, init, options, resolve, reject, deadline, stream);
  if (stream !== null) stream.waiting = call;
  startTimer(call);
  const { signal } = options;
  if (signal !== undefined) {
    call.onAbort = () => giveUp(call, abortError(signal.reason));
    addAbortListener(signal, call.onAbort);
  }
  mesh.enter(call, datapath);
}

function startTimer(call: WaitingCall): void {
  if (call.deadline === Number.POSITIVE_INFINITY) return;
  const { options, method } = call;
  const onTime = (): void => {
    const what = method.binding.mesh.whatIsMissing(call);
    const reason = `${method.name}: ${options.timeoutMs} ms passed while the call waited for ${what}`;
    giveUp(call, new RpcError(Status.DEADLINE_EXCEEDED, reason));
  };
  call.timer = setTimeout(onTime, call.deadline - performance.now());
}

function giveUp(call: WaitingCall, error: RpcError): void {
  call.method.binding.mesh.leave(call);
  call.reject(error);
}
