/** What an ingress with certificates tells Node.js. */
import type { TlsOptions } from "node:tls";
import { KoalaError } from "@koala/interface";
import type { IngressTlsSettings } from "../gateway-options.ts";
import { readTlsFiles } from "./tls-files.ts";

/** Undefined without a certificate. Throws ERR_GATEWAY_TLS. */
export function ingressTls(
  name: string,
  { cert, key, clientCa }: IngressTlsSettings,
): TlsOptions | undefined {
  const who = `ingress ${name}`;
  const material = readTlsFiles(who, { cert, key, ca: clientCa }, "tls_client_ca");
  if (cert !== "") {
    const asksClients = clientCa !== "";
    return {
      ...material,
      ALPNProtocols: ["h2", "http/1.1"],
      minVersion: "TLSv1.2",
      requestCert: asksClients,
      rejectUnauthorized: asksClients,
    };
  }
  if (clientCa === "") return undefined;
  const text = `${who}: tls_client_ca without tls_cert and tls_key; give them, or none of the three`;
  throw new KoalaError("ERR_GATEWAY_TLS", text);
}
