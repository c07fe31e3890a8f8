/** A listening TCP port. */
import type { Listener } from "@koala/interface";
import { closeFd, EBADF, ECONNABORTED, socketAccept } from "@koala/native";

/** How many connections that died in the queue one `accept` skips. */
const skippedMax = 16;

export class TcpListener implements Listener {
  readonly fd: number;
  readonly port: number;
  private closed = false;

  constructor(fd: number, port: number) {
    this.fd = fd;
    this.port = port;
  }

  accept(): number {
    if (this.closed) return -EBADF;
    let fd = socketAccept(this.fd);
    // A client that gave up before it was accepted is no error of the port.
    for (let skipped = 0; fd === -ECONNABORTED && skipped < skippedMax; skipped++) {
      fd = socketAccept(this.fd);
    }
    return fd;
  }

  close(): void {
    if (this.closed) return;
    this.closed = true;
    closeFd(this.fd);
  }
}
