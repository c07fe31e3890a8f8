/** What an egress with TLS tells Node.js. */
import { KoalaError } from "@koala/interface";
import type { EgressSettings } from "../gateway-options.ts";
import { readTlsFiles, type TlsMaterial } from "../http/tls-files.ts";

/** Undefined without TLS. Throws ERR_GATEWAY_TLS. */
export function egressTls({
  name,
  tls,
}: Pick<EgressSettings, "name" | "tls">): TlsMaterial | undefined {
  const { enabled, ca, cert, key } = tls;
  const material = readTlsFiles(`egress ${name}`, { cert, key, ca }, "tls_ca");
  if (enabled) return material;
  if (Object.keys(material).length === 0) return undefined;
  const text = `egress ${name}: certificates, and no tls = true; set it, or leave them out`;
  throw new KoalaError("ERR_GATEWAY_TLS", text);
}
