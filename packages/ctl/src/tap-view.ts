/** `koalactl tap` for people. */
import type { TapGap, TappedCall, TappedMessage } from "@koala/protocol";
import { callerOf } from "./explain-view.ts";
import { formatBytes, formatMicros } from "./quantity.ts";
import { type Paint, printable } from "./table.ts";

/** A line for the call, and one for each message. */
export function formatTapped(call: TappedCall, paint: Paint): string[] {
  const { startedAt, service, method, target, statusName, status, hops, id, message } = call;
  const outcome = paint(status === 0 ? "good" : "bad", statusName);
  const facts = `${callerOf(call)} > ${target}  ${service}/${method}`;
  const head = `${paint("faint", startedAt)}  ${printable(facts)}  ${outcome}  ${formatMicros(hops.ended)}  ${paint("faint", printable(id))}`;
  const lines = [head];
  for (const request of call.requests) lines.push(lineOf("request", request, paint));
  for (const reply of call.replies) lines.push(lineOf("reply", reply, paint));
  if (status !== 0 && message !== "") lines.push(lineOfText("error", message, paint));
  return lines;
}

function lineOf(what: string, { bytes, json, problem }: TappedMessage, paint: Paint): string {
  const text = json === undefined ? `(${formatBytes(bytes)}: ${problem})` : JSON.stringify(json);
  return lineOfText(what, text, paint);
}

function lineOfText(what: string, text: string, paint: Paint): string {
  return `  ${paint("faint", what.padEnd(7))}  ${printable(text)}`;
}

/** What is missing, in a sentence. */
export function formatGap({ missed, dropped, failed, reason }: TapGap): string {
  const parts = [
    missed > 0 ? `${missed} calls are not shown: more than --rate allows` : "",
    dropped > 0 ? `${dropped} calls are not shown: this reader was too slow` : "",
    failed > 0 ? `the condition could not be evaluated for ${failed} calls: ${reason}` : "",
  ];
  return parts.filter((part) => part !== "").join("; ");
}
