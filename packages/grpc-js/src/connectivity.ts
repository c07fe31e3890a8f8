/** Tells who watches a channel of grpc-js when its state has become another one. */
import { type ChannelInterface, connectivityState } from "@grpc/grpc-js";
import { msLeft } from "./deadline.ts";

type State = ReturnType<ChannelInterface["getConnectivityState"]>;
type Watch = ChannelInterface["watchConnectivityState"];

interface Watcher {
  readonly state: State;
  readonly callback: (error?: Error) => void;
  timer: NodeJS.Timeout | undefined;
}

export class Connectivity {
  private readonly stateOf: () => State;
  private readonly watchers = new Set<Watcher>();

  constructor(stateOf: () => State) {
    this.stateOf = stateOf;
  }

  /** As `Channel.watchConnectivityState` of grpc-js. */
  watch(...[state, deadline, callback]: Parameters<Watch>): void {
    if (this.stateOf() === connectivityState.SHUTDOWN) throw new Error("The channel was closed");
    if (this.stateOf() !== state) {
      process.nextTick(callback);
      return;
    }
    const watcher: Watcher = { state, callback, timer: undefined };
    const waitMs = msLeft(deadline);
    if (waitMs !== undefined) {
      watcher.timer = setTimeout(
        () => {
          this.watchers.delete(watcher);
          callback(new Error("The deadline passed, and the state of the channel did not change"));
        },
        Math.max(0, waitMs),
      );
    }
    this.watchers.add(watcher);
  }

  /** The state may have changed. */
  check(): void {
    const now = this.stateOf();
    for (const watcher of [...this.watchers]) {
      if (watcher.state === now) continue;
      this.watchers.delete(watcher);
      clearTimeout(watcher.timer);
      process.nextTick(watcher.callback);
    }
  }
}
