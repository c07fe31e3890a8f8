/** Descriptors of a schema as an app passes them: one memfd beside a control packet. */
import { KoalaError } from "@koala/interface";
import { regionBytes, regionReadAt, regionSeals } from "@koala/native";

/** The bytes of a schema; throws ERR_APP_SCHEMA for what is none, or too large. */
export function readSchema(fds: number[], announced: number, bytesMax: number): Uint8Array {
  const fd = fds[0];
  if (fd === undefined || fds.length !== 1) {
    throw new KoalaError("ERR_APP_SCHEMA", "a schema must come as one memfd beside the packet");
  }
  if (announced > bytesMax) {
    throw new KoalaError(
      "ERR_APP_SCHEMA",
      `a schema of ${announced} bytes is over the limit of ${bytesMax}; raise schema in [limits] of koala.toml`,
    );
  }
  if (!isMemfd(fd)) {
    throw new KoalaError("ERR_APP_SCHEMA", "the descriptor of a schema is no memfd");
  }
  const bytes = new Uint8Array(announced);
  const read = regionBytes(fd) >= announced ? regionReadAt(fd, bytes, 0, announced) : -1;
  if (read !== announced) {
    throw new KoalaError(
      "ERR_APP_SCHEMA",
      `the memfd of the schema does not hold the ${announced} bytes that were announced`,
    );
  }
  return bytes;
}

/** Only memfds have seals. Reading from anything else could block the runtime. */
function isMemfd(fd: number): boolean {
  try {
    return regionSeals(fd) >= 0;
  } catch {
    return false;
  }
}
