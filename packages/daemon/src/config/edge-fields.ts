/** The keys of `[[ingress]]` and `[[egress]]`: what the gateway does for clients and servers of gRPC. */
import { type Address, readAddress } from "./address.ts";
import {
  countField,
  durationField,
  type Field,
  fieldOf,
  fileField,
  nameField,
  requiredField,
  sizeField,
  withDefault,
} from "./field.ts";
import { switchField } from "./policy-field.ts";
import { accept, type Reading, refuse } from "./reading.ts";

const kiB = 1024;
const second = 1_000_000;
const hour = 3600 * second;

export const ingressKeys: {
  readonly listen: Field<Address>;
  readonly name: Field<string | undefined>;
  readonly app: Field<string>;
  readonly tls_cert: Field<string>;
  readonly tls_key: Field<string>;
  readonly tls_client_ca: Field<string>;
  readonly routes: Field<Record<string, string>>;
  readonly origins: Field<string[]>;
  readonly channelz: Field<boolean>;
  readonly connections: Field<number>;
  readonly streams: Field<number>;
  readonly headers: Field<number>;
  readonly header_timeout: Field<number>;
  readonly body_timeout: Field<number>;
  readonly idle_timeout: Field<number>;
} = {
  listen: requiredField<Address>("host:port, port 0 to 65535 (0: any free one)", (value) =>
    readAddress(value, 0),
  ),
  name: nameField("the address"),
  app: appField(),
  tls_cert: fileField("no TLS"),
  tls_key: fileField("no TLS"),
  tls_client_ca: fileField("no certificates of clients"),
  routes: routesField(),
  origins: originsField(),
  channelz: switchField(false),
  connections: countField({ min: 1, max: 65536, default: 1024 }),
  streams: countField({ min: 1, max: 65536, default: 256 }),
  headers: sizeField({ min: kiB, max: 256 * kiB, default: "32KiB" }),
  header_timeout: durationField({
    minMicros: 100_000,
    maxMicros: hour,
    unit: "ms",
    default: "10s",
  }),
  body_timeout: durationField({ minMicros: 100_000, maxMicros: hour, unit: "ms", default: "30s" }),
  idle_timeout: durationField({ minMicros: 100_000, maxMicros: hour, unit: "ms", default: "5m" }),
};

export const egressKeys: {
  readonly name: Field<string>;
  readonly address: Field<Address>;
  readonly services: Field<string[]>;
  readonly descriptors: Field<string>;
  readonly tls: Field<boolean>;
  readonly tls_ca: Field<string>;
  readonly tls_cert: Field<string>;
  readonly tls_key: Field<string>;
  readonly connect_timeout: Field<number>;
  readonly keepalive: Field<number>;
} = {
  name: requiredField<string>("1 to 255 characters", (value) =>
    typeof value === "string" && value.length >= 1 && value.length <= 255
      ? accept(value)
      : refuse("a name of 1 to 255 characters"),
  ),
  address: requiredField<Address>("host:port, port 1 to 65535", (value) => readAddress(value, 1)),
  services: servicesField(),
  descriptors: fileField("what the server says of itself"),
  tls: switchField(false),
  tls_ca: fileField("the authorities that Node.js trusts"),
  tls_cert: fileField("none"),
  tls_key: fileField("none"),
  connect_timeout: durationField({
    minMicros: 10_000,
    maxMicros: hour,
    unit: "ms",
    default: "5s",
  }),
  keepalive: durationField({ minMicros: 100_000, maxMicros: hour, unit: "ms", default: "30s" }),
};

/** As whom calls of an ingress come into the mesh. */
function appField(): Field<string> {
  const name = "koala-gateway";
  const expected = "1 to 64 letters, digits, dots, dashes or underscores";
  const read = (value: unknown): Reading<string> =>
    typeof value === "string" && /^[A-Za-z0-9._-]{1,64}$/.test(value)
      ? accept(value)
      : refuse(expected);
  return withDefault(`"${name}"`, expected, fieldOf(read).prefault(name));
}

/** Full names of services. */
function servicesField(): Field<string[]> {
  const expected = 'a list of full names of services, such as ["geo.v1.Geo"]';
  const isService = (value: unknown): boolean =>
    typeof value === "string" && /^[A-Za-z_][A-Za-z0-9_.]{0,254}$/.test(value);
  const read = (value: unknown): Reading<string[]> =>
    Array.isArray(value) && value.length <= 256 && value.every(isService)
      ? accept(value as string[])
      : refuse(expected);
  return withDefault("[]", "list of services", fieldOf(read).prefault([]));
}

/** Names in the mesh by services. */
function routesField(): Field<Record<string, string>> {
  const expected = 'a table of names by services, such as { "geo.v1.Geo" = "geo" }';
  const isName = (value: unknown): boolean =>
    typeof value === "string" && value.length >= 1 && value.length <= 255;
  const read = (value: unknown): Reading<Record<string, string>> => {
    const isTable = typeof value === "object" && value !== null && !Array.isArray(value);
    if (!isTable || value instanceof Date) return refuse(expected);
    const routes = { ...value } as Record<string, string>;
    return Object.values(routes).every(isName) ? accept(routes) : refuse(expected);
  };
  return withDefault("{}", "table of names by services", fieldOf(read).prefault({}));
}

/** Where pages may come from. */
function originsField(): Field<string[]> {
  const expected = 'a list of origins such as "https://shop.example", or ["*"] for all';
  const isOrigin = (value: unknown): boolean =>
    value === "*" ||
    (typeof value === "string" && /^[a-z][a-z0-9+.-]*:\/\/[^/\s]{1,255}$/.test(value));
  const read = (value: unknown): Reading<string[]> =>
    Array.isArray(value) && value.length <= 256 && value.every(isOrigin)
      ? accept(value as string[])
      : refuse(expected);
  return withDefault("[]", "list of origins", fieldOf(read).prefault([]));
}
