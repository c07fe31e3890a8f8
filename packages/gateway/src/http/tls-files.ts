/** Certificates and keys of an ingress or an egress, as their files have them. */
import { createPrivateKey, X509Certificate } from "node:crypto";
import { readFileSync } from "node:fs";
import { createSecureContext } from "node:tls";
import { KoalaError, messageOf } from "@koala/interface";

/** Paths of files in PEM; "" for none. */
export interface TlsPaths {
  readonly cert: string;
  readonly key: string;
  /** Who signs the certificates of the other side. */
  readonly ca: string;
}

/** What they hold, as Node.js takes it. */
export interface TlsMaterial {
  readonly cert?: Buffer;
  readonly key?: Buffer;
  readonly ca?: Buffer;
}

/**
 * Reads the files. Throws ERR_GATEWAY_TLS, with the file and what is wrong with it; `who` is the ingress or egress, and
 * `caKey` what its key for `ca` is called.
 */
export function readTlsFiles(who: string, { cert, key, ca }: TlsPaths, caKey: string): TlsMaterial {
  if ((cert === "") !== (key === "")) {
    const [given, missing] = cert === "" ? ["tls_key", "tls_cert"] : ["tls_cert", "tls_key"];
    throw problem(`${who}: ${given} without ${missing}; give both, or none`);
  }
  const material = {
    ...(cert !== "" && { cert: readPem(who, "tls_cert", cert, checkCertificate) }),
    ...(key !== "" && { key: readPem(who, "tls_key", key, checkKey) }),
    ...(ca !== "" && { ca: readPem(who, caKey, ca, checkCertificate) }),
  };
  if (material.cert !== undefined && material.key !== undefined) {
    if (!new X509Certificate(material.cert).checkPrivateKey(createPrivateKey(material.key))) {
      const text = `${who}: the key in tls_key = ${key} is none of the certificate in tls_cert = ${cert}`;
      throw problem(`${text}; give the key that the certificate was made for`);
    }
  }
  try {
    createSecureContext(material);
  } catch (cause) {
    throw problem(`${who}: its certificates can't be used: ${messageOf(cause)}`, cause);
  }
  return material;
}

function readPem(
  who: string,
  key: string,
  path: string,
  check: (bytes: Buffer) => unknown,
): Buffer {
  let bytes: Buffer;
  try {
    bytes = readFileSync(path);
  } catch (cause) {
    throw problem(`${who}: ${key} = ${path} can't be read: ${messageOf(cause)}`, cause);
  }
  try {
    check(bytes);
  } catch (cause) {
    const what = check === checkKey ? "a private key without a passphrase" : "a certificate";
    const text = `${who}: ${key} = ${path}: expected ${what} in PEM: ${messageOf(cause)}`;
    throw problem(text, cause);
  }
  return bytes;
}

function checkCertificate(bytes: Buffer): void {
  new X509Certificate(bytes);
}

function checkKey(bytes: Buffer): void {
  createPrivateKey(bytes);
}

function problem(text: string, cause?: unknown): KoalaError {
  return new KoalaError("ERR_GATEWAY_TLS", text, { cause });
}
