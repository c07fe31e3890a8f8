/** One line of the log. Nothing that a stranger chooses gets into it unquoted. */
import { originName, statusName } from "@koala/interface";
import type { PolicyCall, PreparedMethod } from "@koala/policy";

type MethodKind = PreparedMethod["method"]["kind"];

/** What was noted of a call when its request passed; pooled. */
export interface Noted {
  beganMicros: number;
  isSampled: boolean;
  /** Of the request, or of all messages of the client. */
  requestBytes: number;
  /** Of messages of the server. */
  responseBytes: number;
  /** Messages of streams: of the client, and of the server. */
  requestMessages: number;
  responseMessages: number;
  /** Names and values of fields, in JSON, one after the other. */
  readonly values: string[];
  /** The same of metadata. */
  readonly metadata: string[];
}

/** The part of the lines of a method that is always the same. */
export function methodPart(format: "json" | "text", { service, method }: PreparedMethod): string {
  return format === "json"
    ? `"service":${JSON.stringify(service)},"method":${JSON.stringify(method.name)}`
    : `${service}/${method.name}`;
}

/** Moments as text; the same text for all lines of a millisecond. */
export class TimeText {
  private ms = -1;
  private text = "";

  now(): string {
    const ms = Date.now();
    if (ms !== this.ms) {
      this.ms = ms;
      this.text = new Date(ms).toISOString();
    }
    return this.text;
  }
}

export function jsonLine(
  time: string,
  part: string,
  call: PolicyCall,
  noted: Noted,
  durationMs: string,
): string {
  const { caller, endpoint, statusMessage } = call;
  let line = `{"time":"${time}","id":${quoted(call.requestId)},${part}`;
  line += `,"caller":${quoted(caller.app)}`;
  if (caller.host !== "") line += `,"host":${quoted(caller.host)}`;
  line += `,"target":${quoted(call.target)}`;
  if (endpoint !== undefined) line += `,"endpoint":${quoted(endpoint.label)}`;
  line += `,"side":"${call.side}","status":"${statusName(call.status)}"`;
  line += `,"origin":"${originName(call.origin)}"`;
  if (statusMessage !== "") line += `,"message":${JSON.stringify(statusMessage)}`;
  line += `,"duration_ms":${durationMs}`;
  line += `,"request_bytes":${noted.requestBytes}`;
  line += `,"response_bytes":${noted.responseBytes + call.responseBytes}`;
  const { kind } = call.method;
  if (takesStream(kind)) line += `,"request_messages":${noted.requestMessages}`;
  if (returnsStream(kind)) line += `,"response_messages":${noted.responseMessages}`;
  if (noted.metadata.length > 0) line += `,"metadata":{${members(noted.metadata)}}`;
  if (noted.values.length > 0) line += `,${members(noted.values)}`;
  return `${line}}\n`;
}

export function textLine(
  time: string,
  part: string,
  call: PolicyCall,
  noted: Noted,
  durationMs: string,
): string {
  const { caller, endpoint, statusMessage } = call;
  const from = caller.host === "" ? caller.app : `${caller.app}@${caller.host}`;
  let line = `${time} ${statusName(call.status)} ${part} ${durationMs}ms caller=${word(from)}`;
  line += ` target=${word(call.target)} id=${word(call.requestId)} side=${call.side}`;
  if (endpoint !== undefined) line += ` endpoint=${word(endpoint.label)}`;
  line += ` origin=${originName(call.origin)}`;
  line += ` bytes=${noted.requestBytes}/${noted.responseBytes + call.responseBytes}`;
  const { kind } = call.method;
  if (kind !== "unary") {
    const requests = takesStream(kind) ? noted.requestMessages : 1;
    const replies = returnsStream(kind) ? noted.responseMessages : Number(call.status === 0);
    line += ` messages=${requests}/${replies}`;
  }
  for (let i = 0; i < noted.metadata.length; i += 2) {
    line += ` ${word(noted.metadata[i]!)}=${noted.metadata[i + 1]}`;
  }
  for (let i = 0; i < noted.values.length; i += 2) {
    line += ` ${noted.values[i]}=${noted.values[i + 1]}`;
  }
  if (statusMessage !== "") line += ` message=${JSON.stringify(statusMessage)}`;
  return `${line}\n`;
}

function takesStream(kind: MethodKind): boolean {
  return kind === "client_streaming" || kind === "bidi_streaming";
}

function returnsStream(kind: MethodKind): boolean {
  return kind === "server_streaming" || kind === "bidi_streaming";
}

function members(list: readonly string[]): string {
  let text = "";
  for (let i = 0; i < list.length; i += 2) {
    text += `${i === 0 ? "" : ","}${quoted(list[i]!)}:${list[i + 1]}`;
  }
  return text;
}

/** As JSON. Most texts need nothing but the quotes. */
export function quoted(text: string): string {
  return /^[ !#-[\]-~]*$/.test(text) ? `"${text}"` : JSON.stringify(text);
}

/** Milliseconds with three digits behind the point. */
export function msText(micros: number): string {
  const whole = Math.max(0, Math.round(micros));
  const rest = whole % 1000;
  const digits = rest < 10 ? `00${rest}` : rest < 100 ? `0${rest}` : rest;
  return `${(whole - rest) / 1000}.${digits}`;
}

function word(text: string): string {
  return /^[\w./:@+-]+$/.test(text) ? text : JSON.stringify(text);
}
