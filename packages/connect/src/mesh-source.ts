/** The connection of a transport: one that was given, or its own, made with the first call. */
import { Code, ConnectError } from "@connectrpc/connect";
import { type ConnectOptions, connect, type Mesh } from "@koala/mrpc";

export class MeshSource {
  /** What calls go over; null while there is no connection yet. */
  mesh: Mesh | null;
  private readonly options: ConnectOptions;
  private readonly isOwn: boolean;
  private connecting: Promise<Mesh> | null = null;
  private isClosed = false;

  constructor(mesh: Mesh | undefined, options: ConnectOptions) {
    this.mesh = mesh ?? null;
    this.isOwn = mesh === undefined;
    this.options = options;
  }

  /** The connection, for a call that has this signal and so much time. After a failure the next call tries again. */
  open(signal: AbortSignal | undefined, timeoutMs: number | undefined): Promise<Mesh> {
    if (this.isClosed) return Promise.reject(closedError());
    this.connecting ??= this.connect();
    if (signal === undefined && timeoutMs === undefined) return this.connecting;
    return within(this.connecting, signal, timeoutMs);
  }

  /** Ends the connection, unless it was given; pending calls end with it. */
  async close(): Promise<void> {
    this.isClosed = true;
    if (!this.isOwn) return;
    const { connecting } = this;
    if (connecting === null) return;
    try {
      await (await connecting).close();
    } catch {
      // There is none.
    }
  }

  private async connect(): Promise<Mesh> {
    try {
      const mesh = await connect(this.options);
      this.mesh = mesh;
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

/** `mesh`, unless the call ends before. */
function within(
  mesh: Promise<Mesh>,
  signal: AbortSignal | undefined,
  timeoutMs: number | undefined,
): Promise<Mesh> {
  return new Promise((resolve, reject) => {
    const onAbort = (): void => reject(signal?.reason);
    const onTime = (): void => {
      const text = `${timeoutMs} ms passed while the call waited for the daemon`;
      reject(new ConnectError(text, Code.DeadlineExceeded));
    };
    const timer = timeoutMs === undefined ? undefined : setTimeout(onTime, timeoutMs);
    if (signal?.aborted === true) onAbort();
    signal?.addEventListener("abort", onAbort);
    mesh.then(resolve, reject).finally(() => {
      clearTimeout(timer);
      signal?.removeEventListener("abort", onAbort);
    });
  });
}
