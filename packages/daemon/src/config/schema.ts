/**
 * Sections and keys of `koala.toml`: kinds, defaults, limits, and how a section becomes a part of
 * `Config`. The file is strict: what is not listed here is a mistake.
 */
import { z } from "zod";
import { type Address, formatAddress, readAddress } from "./address.ts";
import type {
  Config,
  DaemonConfig,
  EgressConfig,
  IngressConfig,
  LimitsConfig,
  LinkConfig,
  LogConfig,
  MatchConfig,
  ModulesConfig,
  PeerConfig,
  PlacementConfig,
  PolicyConfig,
  RuntimeConfig,
} from "./config.ts";
import { egressKeys, ingressKeys } from "./edge-fields.ts";
import {
  callerField,
  countField,
  countOrWordField,
  durationField,
  fileField,
  type KeyFacts,
  keyFacts,
  listenField,
  logSpecField,
  nameField,
  pathField,
  requiredField,
  sizeField,
  spinField,
  wordField,
} from "./field.ts";
import {
  foldersField,
  labelsField,
  moduleField,
  orderField,
  patternsField,
  switchField,
  tableField,
} from "./policy-field.ts";

const kiB = 1024;
const miB = 1024 ** 2;
const giB = 1024 ** 3;
const second = 1_000_000;
const minute = 60 * second;
const hour = 60 * minute;

/** Offsets in heaps are 32 bits wide, and half of that keeps every sum of two in an integer. */
const heapMax = 2 * giB;

const modes = ["shared", "dedicated", "compact", "spread"] as const;
const runtimesLimit = 64;

const daemonKeys = {
  prefix: pathField("`$XDG_RUNTIME_DIR/koala`, else `/tmp/koala-UID`"),
  name: nameField("the host's name"),
  listen: listenField("127.0.0.1:4500"),
  runtimes: countField({ min: 1, max: runtimesLimit, default: 1 }),
  drain: durationField({ minMicros: 0, maxMicros: hour, unit: "ms", default: "10s" }),
};

const peerKeys = {
  address: requiredField<Address>("host:port, port 1 to 65535", (value) => readAddress(value, 1)),
  name: nameField("none"),
};

/** All that stands before the body is in the first frame of a message, which has 48 KiB for it. */
const metadataMax = 24 * kiB;

const limitsKeys = {
  message: sizeField({ min: kiB, max: giB, default: "64MiB" }),
  metadata: sizeField({ min: kiB, max: metadataMax, default: "16KiB" }),
  apps: countField({ min: 1, max: 65536, default: 1024 }),
  calls_per_app: countField({ min: 2, max: 65536, powerOfTwo: true, default: 2048 }),
  ring_slots: countField({ min: 4, max: 262144, powerOfTwo: true, default: 4096 }),
  send_heap: sizeField({ min: miB, max: heapMax, default: "256MiB" }),
  receive_heap: sizeField({ min: miB, max: heapMax, default: "256MiB" }),
  heap_region: sizeField({ min: 64 * kiB, max: giB, default: "4MiB" }),
  schema: sizeField({ min: 4 * kiB, max: miB, default: "1MiB" }),
  links: countField({ min: 1, max: 4096, default: 256 }),
  link_window: sizeField({ min: 64 * kiB, max: giB, default: "64MiB" }),
  stream_window: sizeField({ min: 16 * kiB, max: giB, default: "2MiB" }),
  stream_buffer: sizeField({ min: 64 * kiB, max: giB, default: "512KiB" }),
  services_per_app: countField({ min: 1, max: 4096, default: 1024 }),
};

const linkKeys = {
  connect_timeout: durationField({
    minMicros: 10_000,
    maxMicros: 5 * minute,
    unit: "ms",
    default: "2s",
  }),
  reconnect_min: durationField({
    minMicros: 1000,
    maxMicros: minute,
    unit: "ms",
    default: "100ms",
  }),
  reconnect_max: durationField({ minMicros: 1000, maxMicros: hour, unit: "ms", default: "5s" }),
  keepalive: durationField({ minMicros: 100_000, maxMicros: hour, unit: "ms", default: "10s" }),
  frame: sizeField({ min: 4 * kiB, max: miB, default: "256KiB" }),
};

const runtimeKeys = {
  spin: spinField({ minMicros: 0, maxMicros: 10_000, unit: "us" }),
  spin_max: durationField({ minMicros: 1, maxMicros: 10_000, unit: "us", default: "500us" }),
  budget: countField({ min: 1, max: 4096, default: 64 }),
  mode: wordField(modes, "shared"),
  runtimes_max: countField({ min: 1, max: runtimesLimit, default: 8 }),
  affinity: wordField(["none", "core", "smt", "numa"], "none"),
  stall: durationField({ minMicros: 50_000, maxMicros: hour, unit: "ms", default: "2s" }),
  rebalance: wordField(["off", "on"], "off"),
};

const placementKeys = {
  caller: callerField(),
  runtime: countOrWordField({ min: 0, max: runtimesLimit - 1 }, modes),
};

const logKeys = {
  level: logSpecField(),
  file: fileField("standard error"),
};

const modulesKeys = {
  directories: foldersField(),
};

const matchKeys = {
  service: patternsField(),
  method: patternsField(),
  caller: patternsField(),
  target: patternsField(),
  side: wordField(["both", "client", "server"], "both"),
  labels: labelsField(),
};

const policyKeys = {
  name: nameField("the last part of `use`"),
  use: moduleField(),
  match: table(z.strictObject(matchKeys).transform(readMatch))
    .prefault({})
    .register(keyFacts, { default: "every call", range: "table, see below" }),
  order: orderField("10 × its position in the file"),
  enabled: switchField(true),
  on_failure: wordField(["closed", "open"], "closed"),
  budget: durationField({ minMicros: 100, maxMicros: 10 * second, unit: "us", default: "20ms" }),
  config: tableField(),
};

/** Keys by section, as the file names them. */
const sections: Readonly<Record<string, Readonly<Record<string, z.ZodType>>>> = {
  daemon: daemonKeys,
  peer: peerKeys,
  limits: limitsKeys,
  link: linkKeys,
  runtime: runtimeKeys,
  placement: placementKeys,
  log: logKeys,
  modules: modulesKeys,
  ingress: ingressKeys,
  egress: egressKeys,
  policy: policyKeys,
  "policy.match": matchKeys,
};

/** Sections that are written `[[name]]`, once for each item. */
export const repeatedSections: readonly string[] = [
  "peer",
  "placement",
  "ingress",
  "egress",
  "policy",
];

/** What the file says, in the shape of `Config`; what depends on the host is still open. */
export interface FileConfig extends Omit<Config, "daemon" | "modules"> {
  readonly modules: Omit<ModulesConfig, "base">;
  readonly daemon: Omit<DaemonConfig, "prefix" | "name"> & {
    readonly prefix: string | undefined;
    readonly name: string | undefined;
  };
}

const daemonSection: z.ZodType<FileConfig["daemon"]> = table(
  z.strictObject(daemonKeys).transform(({ drain, ...daemon }) => ({
    prefix: daemon.prefix,
    name: daemon.name,
    listen: daemon.listen,
    runtimes: daemon.runtimes,
    drainMs: drain,
  })),
);

const peerSection: z.ZodType<PeerConfig> = table(
  z
    .strictObject(peerKeys)
    .transform((peer) => ({ address: peer.address, name: peer.name ?? null })),
);

const limitsSection: z.ZodType<LimitsConfig> = table(
  z.strictObject(limitsKeys).transform((limits) => ({
    messageBytes: limits.message,
    metadataBytes: limits.metadata,
    apps: limits.apps,
    callsPerApp: limits.calls_per_app,
    ringSlots: limits.ring_slots,
    sendHeapBytes: limits.send_heap,
    receiveHeapBytes: limits.receive_heap,
    heapRegionBytes: limits.heap_region,
    schemaBytes: limits.schema,
    links: limits.links,
    linkWindowBytes: limits.link_window,
    streamWindowBytes: limits.stream_window,
    streamBufferBytes: limits.stream_buffer,
    servicesPerApp: limits.services_per_app,
  })),
);

const linkSection: z.ZodType<LinkConfig> = table(
  z.strictObject(linkKeys).transform((link) => ({
    connectTimeoutMs: link.connect_timeout,
    reconnectMinMs: link.reconnect_min,
    reconnectMaxMs: link.reconnect_max,
    keepaliveMs: link.keepalive,
    frameBytes: link.frame,
  })),
);

const runtimeSection: z.ZodType<RuntimeConfig> = table(
  z.strictObject(runtimeKeys).transform((runtime) => ({
    spin: runtime.spin.mode,
    spinMicros: runtime.spin.micros,
    spinMaxMicros: runtime.spin_max,
    budget: runtime.budget,
    mode: runtime.mode,
    runtimesMax: runtime.runtimes_max,
    affinity: runtime.affinity,
    stallMs: runtime.stall,
    rebalance: runtime.rebalance,
  })),
);

const placementSection: z.ZodType<PlacementConfig> = table(z.strictObject(placementKeys));

const logSection: z.ZodType<LogConfig> = table(z.strictObject(logKeys));

const modulesSection: z.ZodType<FileConfig["modules"]> = table(z.strictObject(modulesKeys));

const ingressSection: z.ZodType<IngressConfig> = table(
  z.strictObject(ingressKeys).transform(({ listen, name, routes, ...ingress }) => ({
    name: name ?? formatAddress(listen),
    host: listen.host,
    port: listen.port,
    app: ingress.app,
    tls: { cert: ingress.tls_cert, key: ingress.tls_key, clientCa: ingress.tls_client_ca },
    routes,
    origins: ingress.origins,
    channelz: ingress.channelz,
    connections: ingress.connections,
    streams: ingress.streams,
    headerBytes: ingress.headers,
    headerMs: ingress.header_timeout,
    bodyMs: ingress.body_timeout,
    idleMs: ingress.idle_timeout,
  })),
);

const egressSection: z.ZodType<EgressConfig> = table(
  z.strictObject(egressKeys).transform(({ name, address, services, descriptors, ...egress }) => ({
    name,
    host: address.host,
    port: address.port,
    services,
    descriptors,
    tls: {
      ...{ enabled: egress.tls, ca: egress.tls_ca },
      ...{ cert: egress.tls_cert, key: egress.tls_key },
    },
    connectMs: egress.connect_timeout,
    keepaliveMs: egress.keepalive,
  })),
);

const policySection: z.ZodType<Omit<PolicyConfig, "order"> & { order: number | undefined }> = table(
  z.strictObject(policyKeys).transform(({ on_failure, budget, name, ...policy }) => ({
    ...policy,
    name: name ?? defaultPolicyName(policy.use),
    onFailure: on_failure,
    budgetMicros: budget,
  })),
);

/** The name of a policy that has none of its own: what `use` ends in. */
export function defaultPolicyName(use: string): string {
  return use.slice(use.lastIndexOf("/") + 1).replace(/\.m?[jt]s$/, "");
}

/** Where a policy stands that says nothing about it: room for others is left in between. */
export function defaultOrder(position: number): number {
  return 10 * (position + 1);
}

/** The whole file. Relations between keys are in `relation.ts`. */
export const fileSchema: z.ZodType<FileConfig> = z
  .strictObject({
    daemon: daemonSection.prefault({}),
    peer: z.array(peerSection).prefault([]),
    limits: limitsSection.prefault({}),
    link: linkSection.prefault({}),
    runtime: runtimeSection.prefault({}),
    placement: z.array(placementSection).prefault([]),
    log: logSection.prefault({}),
    modules: modulesSection.prefault({}),
    ingress: z.array(ingressSection).prefault([]),
    egress: z.array(egressSection).prefault([]),
    policy: z.array(policySection).prefault([]),
  })
  .transform(({ peer, placement, ingress, egress, policy, ...rest }) => ({
    ...rest,
    ingresses: ingress,
    egresses: egress,
    peers: peer,
    placements: placement,
    policies: policy.map((item, index) => ({ ...item, order: item.order ?? defaultOrder(index) })),
  }));

/** Names of the sections, or of the keys in one (`policy.match` for those of a table in one); empty when there is no such section. */
export function keyNames(section?: string): readonly string[] {
  if (section === undefined) return Object.keys(sections).filter((name) => !name.includes("."));
  return Object.hasOwn(sections, section) ? Object.keys(sections[section]!) : [];
}

/** The type of one key; undefined when there is no such key. */
export function keyType(section: string, key: string): z.ZodType | undefined {
  return keyNames(section).includes(key) ? sections[section]![key] : undefined;
}

/** Default and range of one key, for the reference page. */
export function factsOf(section: string, key: string): KeyFacts | undefined {
  const type = keyType(section, key);
  return type && keyFacts.get(type);
}

/** A date is an object to zod, and would pass for an empty table: only real tables get through. */
function table<T>(type: z.ZodType<T, Record<string, unknown>>): z.ZodType<T> {
  const isTable = (value: unknown): boolean =>
    typeof value === "object" &&
    value !== null &&
    !Array.isArray(value) &&
    !(value instanceof Date);
  return z.custom<Record<string, unknown>>(isTable, { params: { expected: "a table" } }).pipe(type);
}

/** Only what is given stays: an absent part matches everything. */
function readMatch(
  match: {
    [Key in keyof typeof matchKeys]: z.output<(typeof matchKeys)[Key]>;
  },
): MatchConfig {
  const { side, ...patterns } = match;
  const given = Object.entries(patterns).filter(([, value]) => value !== undefined);
  return { ...Object.fromEntries(given), ...(side === "both" ? {} : { side }) };
}
