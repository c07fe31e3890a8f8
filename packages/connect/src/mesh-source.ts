/** The connection of a transport: one that was given, or its own, made with the first call. */
import { Code, ConnectError } from "@connectrpc/connect";
import { type ConnectOptions, connect, type Mesh } from "@koala/mrpc";

type Reject = (reason: unknown) => void;

export class MeshSource {
  /** What calls go over; null while there is no connection yet. */
  mesh: Mesh | null;
  private readonly options: ConnectOptions;
  private readonly isOwn: boolean;
  private connecting: Promise<Mesh> | null = null;
  /** Of calls that wait for the connection. */
  private readonly waiting = new Set<Reject>();
  private isClosed = false;

  constructor(mesh: Mesh | undefined, options: ConnectOptions) {
    this.mesh = mesh ?? null;
    this.isOwn = mesh === undefined;
    this.options = options;
  }

  /** The connection, for a call that has this signal and so much time. After a failure the next call tries again. */
  open(signal: AbortSignal | undefined, timeoutMs: number | undefined): Promise<Mesh> {
    return new Promise((resolve, reject) => {
      if (this.isClosed) throw closedError();
      signal?.throwIfAborted();
      this.connecting ??= this.connect();
      const { waiting } = this;
      const onAbort = (): void => reject(signal?.reason);
      const onTime = (): void => {
        const text = `${timeoutMs} ms passed while the call waited for the daemon`;
        reject(new ConnectError(text, Code.DeadlineExceeded));
      };
      const timer = timeoutMs === undefined ? undefined : setTimeout(onTime, timeoutMs);
      signal?.addEventListener("abort", onAbort);
      waiting.add(reject);
      void this.connecting.then(resolve, reject).finally(() => {
        clearTimeout(timer);
        signal?.removeEventListener("abort", onAbort);
        waiting.delete(reject);
      });
    });
  }

  /** Ends the connection, unless it was given; calls that are pending or wait for it end with it. */
  async close(): Promise<void> {
    this.isClosed = true;
    if (!this.isOwn) return;
    for (const reject of this.waiting) reject(closedError());
    await this.mesh?.close();
  }

  private async connect(): Promise<Mesh> {
    try {
      const mesh = await connect(this.options);
      this.mesh = mesh;
      // An attempt can't be broken off.
      if (this.isClosed) await mesh.close();
      return mesh;
    } catch (error) {
      this.connecting = null;
      throw ConnectError.from(error, Code.Unavailable);
    }
  }
}

function closedError(): ConnectError {
  return new ConnectError("the transport was closed", Code.Canceled);
}
