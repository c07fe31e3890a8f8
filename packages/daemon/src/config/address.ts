import { isIP } from "node:net";
import { accept, type Reading, refuse } from "./reading.ts";

/** Where to listen or to connect. */
export interface Address {
  /** An IPv4 or IPv6 address (no brackets) or a DNS name. */
  readonly host: string;
  readonly port: number;
}

const hostLengthMax = 253;
const labelPattern = /^[A-Za-z0-9]([A-Za-z0-9_-]{0,61}[A-Za-z0-9])?$/;

/** `127.0.0.1:4500`, `[::1]:4500`, `db.example.net:4500`. */
export function formatAddress(address: Address): string {
  const host = address.host.includes(":") ? `[${address.host}]` : address.host;
  return `${host}:${address.port}`;
}

/** Reads `host:port`; the port is at least `portMin` (0 lets the system choose one). */
export function readAddress(value: unknown, portMin: 0 | 1): Reading<Address> {
  const expected = `an address "host:port" with a port from ${portMin} to 65535`;
  if (typeof value !== "string") return refuse(expected);
  // More than one colon without brackets: an IPv6 address, with or without a port behind it.
  if (isIP(value) === 6) return refuse(expected, `Did you mean "[${value}]:4500"?`);

  const match = /^(?:\[([^\]]*)\]|([^:]*)):(\d{1,5})$/.exec(value);
  if (!match) {
    const hint = readHost(value) ? `Did you mean "${value}:4500"?` : "";
    return refuse(expected, hint);
  }
  const [, bracketed, plain = "", digits = ""] = match;
  const port = Number(digits);
  if (port < portMin || port > 65535) return refuse(expected);
  if (bracketed !== undefined) {
    return isIP(bracketed) === 6
      ? accept({ host: bracketed, port })
      : refuse(`${expected}, with an IPv6 address between the brackets`);
  }
  if (plain === "") {
    return refuse(expected, `For every address of this host write "0.0.0.0:${port}".`);
  }
  return readHost(plain)
    ? accept({ host: plain, port })
    : refuse(`${expected}, with an IP address or a DNS name as the host`);
}

function readHost(host: string): boolean {
  if (isIP(host) === 4) return true;
  if (host.length === 0 || host.length > hostLengthMax) return false;
  // Only digits and dots, yet no IPv4 address: a mistyped address, not a name.
  if (/^[\d.]+$/.test(host)) return false;
  const labels = host.replace(/\.$/, "").split(".");
  return labels.every((label) => labelPattern.test(label));
}
