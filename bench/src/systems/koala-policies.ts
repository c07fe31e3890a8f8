/** Koala with policies, beside the same without. */
import type { Stage } from "../stage.ts";
import { startApps, startHost } from "./koala.ts";
import type { RunningSystem, System } from "./system.ts";

/** A rate that one daemon reaches easily, so that the policy and nothing else holds it. */
const targetRate = 5000;

/** Two daemons with the same policies each, linked over TCP. */
async function startLinked(stage: Stage, name: string, settings: string): Promise<RunningSystem> {
  const far = await startHost(stage, `${name} daemon B`, [], settings);
  const near = await startHost(stage, `${name} daemon A`, [far], settings);
  return startApps(stage, name, near, far, []);
}

function linked(name: string, cases: readonly string[], settings: string): System {
  return {
    name,
    cases,
    byDefault: true,
    floors: {},
    ...(name === "plain" ? {} : { plain: "plain" }),
    start: (stage) => startLinked(stage, name, settings),
  };
}

const nullCases = ["policy-null", "policy-null-rate"];

function nullPolicies(count: number): System {
  const tables = Array.from(
    { length: count },
    (_, i) => `[[policy]]\nuse = "null"\nname = "null-${i}"\n\n`,
  );
  return linked(`null-${count}`, nullCases, tables.join(""));
}

const aclSettings = `[[policy]]
use = "acl"

[policy.config]
default = "allow"

[[policy.config.rules]]
method = "Echo"
name = "no-strangers"
effect = "deny"
when = 'request.name == "stranger"'
`;

const telemetrySettings = `[[policy]]
use = "telemetry"
`;

const rateLimitSettings = `[[policy]]
use = "rate-limit"
match = { side = "client" }
config = { rate = ${targetRate}, burst = 10, mode = "queue" }
`;

const qosSettings = `[[policy]]
use = "qos"
match = { side = "client" }

[[policy.config.classes]]
name = "interactive"
caller = "interactive"
priority = 10

[[policy.config.classes]]
name = "bulk"
priority = 0
`;

/** One daemon; a client that is measured and, with `hasHog`, one that sends all the time. */
function shared(name: string, hasHog: boolean, settings: string): System {
  return {
    name,
    cases: ["qos"],
    byDefault: true,
    floors: {},
    ...(name === "alone" ? {} : { plain: "alone" }),
    start: async (stage) => {
      const host = await startHost(stage, `${name} daemon`, [], settings);
      const apps = await startApps(stage, name, host, host, []);
      if (!hasHog) return apps;
      const env = { KOALA_PREFIX: host.prefix, KOALA_BENCH_APP: "hog" };
      const hog = stage.start("koala-client.js", { name: `${name} hog`, env });
      await hog.ready();
      return { ...apps, hog };
    },
  };
}

export const policySystems: readonly System[] = [
  linked("plain", [...nullCases, "policy-acl", "policy-telemetry"], ""),
  ...[1, 5, 10].map(nullPolicies),
  linked("acl", ["policy-acl"], aclSettings),
  linked("telemetry", ["policy-telemetry"], telemetrySettings),
  { ...linked("rate-limit", ["policy-rate-limit"], rateLimitSettings), targetRate },
  shared("alone", false, ""),
  shared("beside-hog", true, ""),
  shared("beside-hog-qos", true, qosSettings),
];
