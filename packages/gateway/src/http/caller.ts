/** Who is at the other end of a connection, as metadata of its calls. Nobody but the gateway says it. */
import type { Socket } from "node:net";
import { TLSSocket } from "node:tls";
import type { MetadataEntry } from "@koala/mrpc";

/** The address that a connection comes from, `host:port`. */
export const peerKey = "koala-peer";
/** The name in the certificate of the client, when it was asked for one and has proved that it is its own. */
export const peerNameKey = "koala-peer-name";

const known = new WeakMap<Socket, readonly MetadataEntry[]>();
/** What metadata can carry; anything else is left out rather than changed. */
const namePattern = /^[\x20-\x7e]{1,255}$/;

/** What is known of the other end. */
export function callerOf(socket: Socket): readonly MetadataEntry[] {
  let entries = known.get(socket);
  if (entries === undefined) {
    entries = find(socket);
    known.set(socket, entries);
  }
  return entries;
}

function find(socket: Socket): MetadataEntry[] {
  const entries: MetadataEntry[] = [];
  const { remoteAddress, remotePort } = socket;
  if (remoteAddress !== undefined) {
    const host = remoteAddress.includes(":") ? `[${remoteAddress}]` : remoteAddress;
    entries.push([peerKey, `${host}:${remotePort}`]);
  }
  const name = socket instanceof TLSSocket && socket.authorized ? nameIn(socket) : undefined;
  if (name !== undefined && namePattern.test(name)) entries.push([peerNameKey, name]);
  return entries;
}

/** The first URI of the certificate, else its first name of a host, else its common name. */
function nameIn(socket: TLSSocket): string | undefined {
  const { subject, subjectaltname = "" } = socket.getPeerCertificate();
  const names = subjectaltname.split(", ");
  for (const kind of ["URI:", "DNS:"]) {
    const found = names.find((name) => name.startsWith(kind));
    if (found !== undefined) return found.slice(kind.length);
  }
  const common: unknown = subject?.CN;
  return typeof common === "string" ? common : undefined;
}
