/** From the flags of `koalactl policy` to what the daemon is told. */
import { basename, extname, resolve } from "node:path";
import { KoalaError, messageOf } from "@koala/interface";
import type { PolicyFailureMode, PolicyMatch, PolicySide } from "@koala/protocol";
import { readText } from "./context.ts";
import { didYouMean } from "./did-you-mean.ts";
import { usageError } from "./exit-code.ts";

/** Flags that say what a policy is to be like; `attach`, `set` and `dev` share them. */
export interface PolicyFlags {
  match?: string[];
  config?: string;
  order?: number;
  onFailure?: PolicyFailureMode;
  budget?: string;
}

const listKeys = ["service", "method", "caller", "target"] as const;
const sides: readonly PolicySide[] = ["client", "server", "both"];
const labelPrefix = "label.";

/** Whether a module is named by its path, and not by its name. */
export function isPath(use: string): boolean {
  return /^\.{0,2}\//.test(use) || /\.(?:ts|js|mjs)$/.test(use);
}

/** A module as the daemon has to be told of it: its folder is another one than that of this command. */
export function moduleOf(use: string): string {
  return isPath(use) ? resolve(use) : use;
}

/** The name that a policy gets from the path of its code: `limits/tenant.ts` is `tenant`. */
export function nameOf(use: string): string {
  return isPath(use) ? basename(use, extname(use)) : use;
}

/** The part of a request that the flags fill in. */
export function partsOf({ match, config, order, onFailure, budget }: PolicyFlags): {
  match?: PolicyMatch;
  config?: Record<string, unknown>;
  order?: number;
  onFailure?: PolicyFailureMode;
  budget?: string;
} {
  return {
    ...(match === undefined ? {} : { match: parseMatch(match) }),
    ...(config === undefined ? {} : { config: parseConfig(config) }),
    ...(order === undefined ? {} : { order }),
    ...(onFailure === undefined ? {} : { onFailure }),
    ...(budget === undefined ? {} : { budget }),
  };
}

/** `service=geo.v1.*,side=client,label.tier=gold`; a key that comes again adds an alternative. */
export function parseMatch(texts: readonly string[]): PolicyMatch {
  const lists = new Map<string, string[]>();
  const labels: Record<string, string> = {};
  let side: PolicySide | undefined;
  for (const part of texts.flatMap((text) => text.split(",")).filter((text) => text !== "")) {
    const [key, value] = keyAndValue(part, "--match");
    if (key === "side") {
      side = sides.find((known) => known === value);
      if (side === undefined)
        throw usageError(`--match side=${value}: expected ${sides.join(", ")}`);
    } else if (key.startsWith(labelPrefix)) {
      labels[key.slice(labelPrefix.length)] = value;
    } else if (listKeys.some((known) => known === key)) {
      lists.set(key, [...(lists.get(key) ?? []), value]);
    } else {
      const known = [...listKeys, "side", `${labelPrefix}NAME`].join(", ");
      const meant = didYouMean(key, [...listKeys, "side"]);
      throw usageError(`--match ${part}: there is no ${key}; there are: ${known}${meant}`);
    }
  }
  return {
    ...Object.fromEntries(
      [...lists].map(([key, [one = "", ...more]]) => [
        key,
        more.length === 0 ? one : [one, ...more],
      ]),
    ),
    ...(side === undefined ? {} : { side }),
    ...(Object.keys(labels).length === 0 ? {} : { labels }),
  };
}

/** The table of a policy as JSON, `@FILE` or `-`. */
export function parseConfig(data: string): Record<string, unknown> {
  const text = readText(data, "the configuration of the policy");
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    const where = data.startsWith("@") ? ` ${data.slice(1)}` : "";
    throw new KoalaError("ERR_CTL_JSON", `--config${where}: ${messageOf(cause)}`, { cause });
  }
  if (typeof value === "object" && value !== null && !Array.isArray(value)) return { ...value };
  throw new KoalaError("ERR_CTL_JSON", '--config: expected a JSON object, as in {"rate": 100}');
}

/** `rate=100` as a change of one key: JSON where it is JSON, else text; `null` removes the key. */
export function parseAssignments(texts: readonly string[]): Record<string, unknown> {
  return Object.fromEntries(
    texts.map((text) => {
      const [key, value] = keyAndValue(text, "koalactl policy set");
      try {
        return [key, JSON.parse(value) as unknown];
      } catch {
        return [key, value]; // not JSON: the text itself is meant
      }
    }),
  );
}

function keyAndValue(text: string, where: string): [key: string, value: string] {
  const at = text.indexOf("=");
  if (at < 1) throw usageError(`${where} ${text}: expected key=value`);
  return [text.slice(0, at).trim(), text.slice(at + 1).trim()];
}
