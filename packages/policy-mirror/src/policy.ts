import {
  definePolicy,
  fits,
  type PolicyContext,
  type PolicyDefinition,
  Status,
  Verdict,
} from "@koala/policy";
import { type MirrorConfig, mirrorConfig } from "./config.ts";

type Context = PolicyContext<MirrorConfig, undefined>;

/** Sends copies of requests elsewhere; nobody waits for what comes of them. */
export const mirrorPolicy: PolicyDefinition<MirrorConfig, undefined> = definePolicy<
  MirrorConfig,
  undefined
>({
  name: "mirror",
  version: "1.0.0",
  provides: ["mirror"],
  config: mirrorConfig,
  counters: ["mirrored", "dropped", "succeeded", "failed"],

  prepare({ service, method }, { config }) {
    if (method.kind !== "unary") return false;
    return config.method.some((pattern) =>
      fits(pattern, pattern.includes("/") ? `${service}/${method.name}` : method.name),
    );
  },

  onRequest(call, ctx) {
    const { config, counters } = ctx;
    // A copy of a copy would go round for ever.
    if (call.target === config.target) return Verdict.PASS;
    if (config.probability < 1 && ctx.random() >= config.probability) return Verdict.PASS;
    const isSent = ctx.mirror(call, {
      target: config.target,
      timeoutMs: config.timeout,
      onEnd: (status) => ended(status, ctx),
    });
    counters[isSent ? "mirrored" : "dropped"]!++;
    return Verdict.PASS;
  },
});

function ended(status: Status, { counters }: Context): void {
  counters[status === Status.OK ? "succeeded" : "failed"]!++;
}
