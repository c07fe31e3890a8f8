import { definePolicy, type PolicyDefinition, Status, z } from "@koala/policy";

interface Config {
  /** Bytes that a client may send in one call. */
  readonly bytes: number;
}

const policy: PolicyDefinition<Config> = definePolicy({
  name: "stream-quota",
  version: "1.0.0",
  config: z.strictObject({ bytes: z.int().min(1) }),

  listens: ({ method }) => method.kind === "client_streaming" || method.kind === "bidi_streaming",

  onStreamMessage(message, call, ctx) {
    if (message.from === "server") return;
    const sent = ((call.local as number | undefined) ?? 0) + message.bytes;
    call.local = sent;
    if (sent <= ctx.config.bytes) return;
    return call.deny(Status.RESOURCE_EXHAUSTED, `more than ${ctx.config.bytes} bytes`, "bytes");
  },
});

export default policy;
