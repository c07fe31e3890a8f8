/** What a connection of the socket floor begins with. */
import type { RunCommand } from "../load/load-command.ts";

export const helloBytes = 12;

/** What the far end needs to know of a round. */
export interface Hello {
  readonly isEcho: boolean;
  readonly bytes: number;
  readonly inFlight: number;
}

export function writeHello({ method, bytes, inFlight }: RunCommand): ArrayBuffer {
  return Int32Array.of(Number(method === "echo"), bytes, inFlight).buffer;
}

export function readHello(hello: ArrayBuffer): Hello {
  const [isEcho = 0, bytes = 0, inFlight = 0] = new Int32Array(hello);
  return { isEcho: isEcho === 1, bytes, inFlight };
}
