import { Buffer } from "node:buffer";
import {
  definePolicy,
  type PolicyCall,
  type PolicyContext,
  type PolicyDefinition,
  type PolicyTimer,
  Status,
} from "@koala/policy";
import { checkConfig, type LogConfig, logConfig } from "./config.ts";
import { createLogControl, LOST, type LogBatch, sharedBytes } from "./control.ts";
import {
  jsonLine,
  methodPart,
  msText,
  type Noted,
  quoted,
  TimeText,
  textLine,
} from "./log-line.ts";
import { checkFields, LoggedFields } from "./logged-fields.ts";

type Context = PolicyContext<LogConfig, LogState>;

const stateVersion = 1;
/** Characters of a batch, whatever `batch` allows. */
const batchLengthMax = 64 * 1024;

/** What an instance keeps. */
export interface LogState {
  /** Lines that wait to be sent. */
  text: string;
  lines: number;
  readonly timer: PolicyTimer;
  readonly time: TimeText;
  readonly free: Noted[];
}

/** What is made once for a method. */
interface Prepared {
  readonly part: string;
  readonly fields: LoggedFields;
}

/** One line for each call that is sampled, or ends with an error. */
export const logPolicy: PolicyDefinition<LogConfig, LogState> = definePolicy<LogConfig, LogState>({
  name: "log",
  version: "1.0.0",
  stateVersion,
  config: logConfig,
  counters: ["logged", "not_sampled", "dropped", "lost"],
  sharedBytes: () => sharedBytes,
  check: checkConfig,
  checkMethod: ({ fields }, method) => checkFields(fields, method),
  control: createLogControl,

  prepare(method, { config }): Prepared {
    return {
      part: methodPart(config.format, method),
      fields: new LoggedFields(config.fields, method),
    };
  },

  start: createState,
  stop: flush,

  onRequest(call, ctx) {
    const { config, state } = ctx;
    const isSampled = config.sample === 1 || ctx.random() < config.sample;
    if (!isSampled && !config.errors) {
      ctx.counters["not_sampled"]!++;
      return;
    }
    const noted = state.free.pop() ?? {
      beganMicros: 0,
      isSampled: false,
      requestBytes: 0,
      responseBytes: 0,
      requestMessages: 0,
      responseMessages: 0,
      values: [],
      metadata: [],
    };
    noted.beganMicros = ctx.nowMicros();
    noted.isSampled = isSampled;
    // When the call ends, the request is not at hand any more.
    noted.requestBytes = call.requestBytes;
    noted.responseBytes = 0;
    noted.requestMessages = 0;
    noted.responseMessages = 0;
    call.local = noted;
    (call.prepared as Prepared).fields.readRequest(call, noted.values);
    if (config.metadata.length > 0) readMetadata(call, config.metadata, noted.metadata);
  },

  onStreamMessage(message, call) {
    const noted = call.local as Noted | undefined;
    if (noted === undefined) return;
    if (message.from === "client") {
      noted.requestMessages++;
      noted.requestBytes += message.bytes;
    } else {
      noted.responseMessages++;
      noted.responseBytes += message.bytes;
    }
  },

  onResponse(call, ctx) {
    const noted = call.local as Noted | undefined;
    if (noted === undefined) return;
    if (noted.isSampled || (ctx.config.errors && call.status !== Status.OK)) {
      const prepared = call.prepared as Prepared | undefined;
      if (call.status === Status.OK) prepared?.fields.readReply(call, noted.values);
      write(call, ctx, noted, prepared?.part);
    } else {
      ctx.counters["not_sampled"]!++;
    }
    noted.values.length = 0;
    noted.metadata.length = 0;
    ctx.state.free.push(noted);
  },

  export(ctx) {
    // What the old code has written goes out before the new one writes.
    flush(ctx);
    return {};
  },

  import(_saved, version, ctx) {
    if (version !== stateVersion) {
      throw new Error(`a state of version ${version} is not known here, ${stateVersion} is`);
    }
    return createState(ctx);
  },
});

function createState(ctx: Context): LogState {
  const state: LogState = {
    text: "",
    lines: 0,
    timer: ctx.timer(() => send(state, ctx)),
    time: new TimeText(),
    free: [],
  };
  return state;
}

function write(call: PolicyCall, ctx: Context, noted: Noted, part: string | undefined): void {
  const { state, config } = ctx;
  const durationMs = msText(ctx.nowMicros() - noted.beganMicros);
  const makeLine = config.format === "json" ? jsonLine : textLine;
  const { service, method } = call;
  const methodText = part ?? methodPart(config.format, { service, method });
  state.text += makeLine(state.time.now(), methodText, call, noted, durationMs);
  state.lines++;
  ctx.counters["logged"]!++;
  if (state.lines >= config.batch || state.text.length > batchLengthMax) flush(ctx);
  else if (state.lines === 1) state.timer.set(config.flush);
}

function flush(ctx: Context): void {
  ctx.state.timer.clear();
  send(ctx.state, ctx);
}

function send(state: LogState, ctx: Context): void {
  const { counters, runtime, shared } = ctx;
  if (runtime.index === 0) counters["lost"] = Atomics.load(new Int32Array(shared), LOST);
  if (state.lines === 0) return;
  const batch: LogBatch = { text: state.text, lines: state.lines };
  if (!ctx.notify(batch)) counters["dropped"]! += state.lines;
  state.text = "";
  state.lines = 0;
}

function readMetadata(call: PolicyCall, keys: readonly string[], into: string[]): void {
  for (const key of keys) {
    const value = call.metadata.get(key);
    if (value === undefined) continue;
    const text = typeof value === "string" ? value : Buffer.from(value).toString("base64");
    into.push(key, quoted(text));
  }
}
