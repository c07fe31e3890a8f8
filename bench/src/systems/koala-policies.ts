/** Koala with policies, beside the same without. */
import { postAdmin } from "@koala/ctl";
import type { PolicySpec } from "@koala/protocol";
import type { Stage } from "../processes/stage.ts";
import { type Host, startApps, startHost } from "./koala.ts";
import type { RunningSystem, System } from "./system.ts";

/** A rate that one daemon reaches easily, so that the policy and nothing else holds it. */
const targetRate = 5000;

/** Two daemons, linked over TCP, with a client on the one and a server on the other. */
export interface LinkedHosts {
  readonly near: Host;
  readonly far: Host;
  readonly apps: RunningSystem;
}

const linkedHosts = new WeakMap<Stage, Promise<LinkedHosts>>();

/** Two daemons, linked over TCP, once a stage: systems that differ in policies only take turns on them. */
function hostsOf(stage: Stage): Promise<LinkedHosts> {
  let hosts = linkedHosts.get(stage);
  if (hosts === undefined) {
    hosts = startLinkedHosts(stage);
    linkedHosts.set(stage, hosts);
  }
  return hosts;
}

/** Starts them. */
export async function startLinkedHosts(stage: Stage): Promise<LinkedHosts> {
  const far = await startHost(stage, "policies daemon B", []);
  const near = await startHost(stage, "policies daemon A", [far]);
  return { near, far, apps: await startApps(stage, "policies", near, far, []) };
}

/** The same policies in both daemons, for as long as the system has its turn. */
function linked(name: string, cases: readonly string[], policies: readonly PolicySpec[]): System {
  return {
    name,
    cases,
    byDefault: true,
    floors: {},
    ...(name === "plain" ? {} : { plain: "plain" }),
    start: async (stage) => {
      const { near, far, apps } = await hostsOf(stage);
      const daemons = [near, far];
      return {
        ...apps,
        enter: async () => {
          for (const { prefix } of daemons) {
            for (const policy of policies) {
              await postAdmin(prefix, "/v1/policies/attach", { policy });
            }
          }
        },
        leave: async () => {
          for (const { prefix } of daemons) {
            for (const { name: policy = "" } of policies) {
              await postAdmin(prefix, "/v1/policies/detach", { name: policy });
            }
          }
        },
      };
    },
  };
}

const nullCases = ["policy-null", "policy-null-rate"];

function nullPolicies(count: number): System {
  const policies = Array.from({ length: count }, (_, i) => ({ use: "null", name: `null-${i}` }));
  return linked(`null-${count}`, nullCases, policies);
}

const acl: PolicySpec = {
  name: "acl",
  use: "acl",
  config: {
    default: "allow",
    rules: [
      {
        name: "no-strangers",
        effect: "deny",
        method: "Echo",
        when: 'request.name == "stranger"',
      },
    ],
  },
};

const telemetry: PolicySpec = { name: "telemetry", use: "telemetry" };

const rateLimit: PolicySpec = {
  name: "rate-limit",
  use: "rate-limit",
  match: { side: "client" },
  config: { rate: targetRate, burst: 50, mode: "queue" },
};

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
  linked("plain", [...nullCases, "policy-acl", "policy-telemetry"], []),
  ...[1, 5, 10].map(nullPolicies),
  linked("acl", ["policy-acl"], [acl]),
  linked("telemetry", ["policy-telemetry"], [telemetry]),
  { ...linked("rate-limit", ["policy-rate-limit"], [rateLimit]), targetRate },
  shared("alone", false, ""),
  shared("beside-hog", true, ""),
  shared("beside-hog-qos", true, qosSettings),
];
