/** Which calls a policy is attached to. */
import type { Caller, Side } from "../call.ts";

/** Each part that is given must fit; lists mean "one of". Texts may contain `*`, which stands for anything. */
export interface Selector {
  readonly service?: readonly string[];
  /** Name of the method, without the service. */
  readonly method?: readonly string[];
  readonly target?: readonly string[];
  /** Name of the calling app, or `app@host` for apps of other hosts. */
  readonly caller?: readonly string[];
  readonly labels?: Readonly<Record<string, string>>;
  /** Both when not given. */
  readonly side?: Side;
}

/** What a selector is asked about. */
export interface Selected {
  readonly service: string;
  readonly method: string;
  readonly target: string;
  readonly caller: Caller;
  readonly side: Side;
}

/** Whether the selector takes these calls. Asked once for each chain, not for each call. */
export function isSelected(selector: Selector, facts: Selected): boolean {
  const { service, method, target, caller, labels, side } = selector;
  if (side !== undefined && side !== facts.side) return false;
  if (service !== undefined && !someMatch(service, facts.service)) return false;
  if (method !== undefined && !someMatch(method, facts.method)) return false;
  if (target !== undefined && !someMatch(target, facts.target)) return false;
  if (caller !== undefined && !caller.some((pattern) => fitsCaller(pattern, facts.caller))) {
    return false;
  }
  return Object.entries(labels ?? {}).every(
    ([key, pattern]) =>
      Object.hasOwn(facts.caller.labels, key) && fits(pattern, facts.caller.labels[key]!),
  );
}

function fitsCaller(pattern: string, { app, host }: Caller): boolean {
  return fits(pattern, pattern.includes("@") ? `${app}@${host}` : app);
}

function someMatch(patterns: readonly string[], text: string): boolean {
  return patterns.some((pattern) => fits(pattern, text));
}

/** Whether a text fits a pattern with stars; linear in the text for each star. */
export function fits(pattern: string, text: string): boolean {
  const parts = pattern.split("*");
  const first = parts[0]!;
  if (parts.length === 1) return text === pattern;
  if (!text.startsWith(first)) return false;
  const last = parts.at(-1)!;
  let at = first.length;
  for (const part of parts.slice(1, -1)) {
    const found = text.indexOf(part, at);
    if (found < 0) return false;
    at = found + part.length;
  }
  return text.length - at >= last.length && text.endsWith(last);
}
