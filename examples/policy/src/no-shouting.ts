import type {
  GreetRequest,
  GreetResponse,
} from "@koala/example-hello/dist/gen/hello/v1/hello_pb.js";
import { definePolicy, type PolicyDefinition, Status, z } from "@koala/policy";

interface Config {
  /** Exclamation marks that a name may have. */
  readonly marks: number;
}

const policy: PolicyDefinition<Config, undefined, GreetRequest, GreetResponse> = definePolicy({
  name: "no-shouting",
  version: "1.0.0",
  config: z.strictObject({ marks: z.int().min(0).default(0) }),
  counters: ["shouted"],

  prepare: ({ method }) => method.name === "Greet",

  onRequest(call, ctx) {
    const { name } = call.request;
    const marks = name.split("!").length - 1;
    if (marks <= ctx.config.marks) return;
    ctx.counters["shouted"]!++;
    return call.deny(Status.INVALID_ARGUMENT, `please don't shout, ${name}`, "marks");
  },
});

export default policy;
