/** The `[settings]` of experiments with policies: which there are, and which sets of them take turns. */
import { KoalaError } from "@koala/interface";
import type { PolicySpec } from "@koala/protocol";

/** Policies that are attached together, by their names in `policies`, in order. */
export interface PolicySet {
  readonly name: string;
  /** In the daemon of the client. */
  readonly sender: readonly PolicySpec[];
  /** In the daemon of the server. */
  readonly receiver: readonly PolicySpec[];
}

export interface PolicyLoad {
  readonly name: string;
  readonly bytes: number;
  readonly inFlight: number;
}

/** A set that holds calls to a rate. */
export interface LimitSettings {
  readonly set: string;
  readonly rate: number;
  readonly inFlight: number;
  readonly seconds: number;
}

export interface PolicySettings {
  readonly sets: readonly PolicySet[];
  readonly loads: readonly PolicyLoad[];
  /** Which set of policies a peer has, by the name of its system. */
  readonly peers: Readonly<Record<string, string>>;
  readonly limit: LimitSettings;
  /** What the daemon gets in the last part, `qos`. */
  readonly qos: PolicySpec;
}

type Table = Readonly<Record<string, unknown>>;

/** The error of a setting that is not as it should be. */
export function wrongSetting(experiment: string, key: string, expected: string): KoalaError {
  return new KoalaError(
    "ERR_EVAL_SETTINGS",
    `eval/${experiment}/experiment.toml: settings.${key} must be ${expected}`,
  );
}

/** Reads and checks them; `ERR_EVAL_SETTINGS` names what is wrong. */
export function readPolicySettings(experiment: string, settings: Table): PolicySettings {
  const fail = (key: string, expected: string): never => {
    throw wrongSetting(experiment, key, expected);
  };
  const table = (from: Table, key: string, path = key): Table => {
    const value = from[key];
    return isTable(value) ? value : fail(path, "a table");
  };
  const tables = (key: string): readonly Table[] => {
    const value = settings[key];
    return Array.isArray(value) && value.length > 0 && value.every(isTable)
      ? value
      : fail(key, `one [[settings.${key}]] table at least`);
  };
  const text = (from: Table, key: string, path: string): string => {
    const value = from[key];
    return typeof value === "string" && value !== "" ? value : fail(`${path}.${key}`, "a string");
  };
  const positive = (from: Table, key: string, path: string): number => {
    const value = from[key];
    return typeof value === "number" && value > 0 ? value : fail(`${path}.${key}`, "above 0");
  };
  const policies = table(settings, "policies");
  const specOf = (name: unknown, path: string): PolicySpec => {
    const known = Object.keys(policies).join(", ");
    if (typeof name !== "string" || !(name in policies)) {
      return fail(path, `names in settings.policies (${known}), found ${JSON.stringify(name)}`);
    }
    const spec = table(policies, name, `policies.${name}`);
    text(spec, "use", `policies.${name}`);
    return spec as unknown as PolicySpec;
  };
  const chain = (set: Table, key: string, path: string): PolicySpec[] => {
    const names: unknown = set[key] ?? [];
    if (!Array.isArray(names)) return fail(`${path}.${key}`, "a list of names");
    return names.map((name: unknown, index) => ({
      ...specOf(name, `${path}.${key}`),
      // One module may be in a chain several times.
      name: `${String(name)}-${index}`,
    }));
  };
  const sets = tables("sets").map((set, index) => {
    const path = `sets[${index + 1}]`;
    const unknown = Object.keys(set).find(
      (key) => !["name", "both", "sender", "receiver"].includes(key),
    );
    if (unknown !== undefined) return fail(path, `name, both, sender, receiver, and no ${unknown}`);
    const both = chain(set, "both", path);
    return {
      name: text(set, "name", path),
      sender: both.length > 0 ? both : chain(set, "sender", path),
      receiver: both.length > 0 ? both : chain(set, "receiver", path),
    };
  });
  const names = sets.map(({ name }) => name);
  if (names[0] !== "none") fail("sets[1]", `"none", which the others are compared with`);
  const loads = tables("loads").map((load, index) => ({
    name: text(load, "name", `loads[${index + 1}]`),
    bytes: positive(load, "bytes", `loads[${index + 1}]`),
    inFlight: positive(load, "inFlight", `loads[${index + 1}]`),
  }));
  const peers = table(settings, "peers");
  const limit = table(settings, "limit");
  return {
    sets,
    loads,
    peers: Object.fromEntries(Object.keys(peers).map((name) => [name, text(peers, name, "peers")])),
    limit: {
      set: text(limit, "set", "limit"),
      rate: positive(limit, "rate", "limit"),
      inFlight: positive(limit, "inFlight", "limit"),
      seconds: positive(limit, "seconds", "limit"),
    },
    qos: { ...specOf("qos", "policies.qos"), name: "qos" },
  };
}

function isTable(value: unknown): value is Table {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
