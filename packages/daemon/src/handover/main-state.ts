/** What the main thread of one daemon process hands to that of the next. */
import type { AppServerState } from "../control/app-server.ts";
import type { EventBusState } from "../events/event-bus.ts";
import type { SharedPolicyMemory } from "../policies/policy-manager.ts";

/** A runtime's state file and the descriptors that it names. */
export interface RuntimeFile {
  readonly fd: number;
  readonly fds: readonly number[];
}

export interface MainState {
  readonly version: number;
  /** The folder of the sockets. */
  readonly prefix: string;
  /** Of the daemon, in handshakes of links. */
  readonly instance: string;
  /** Whose turn it is to get the next link. */
  readonly nextRuntime: number;
  readonly apps: AppServerState;
  readonly events: EventBusState;
  readonly policies: readonly SharedPolicyMemory[];
  /** The admin socket. */
  readonly admin: number;
  /** The port for other daemons; -1 when there is none. */
  readonly listener: number;
  readonly runtimes: readonly RuntimeFile[];
  /** That of the folder. */
  readonly lock: number;
}

/** The same state with other numbers for its descriptors; asks for each one once, in a fixed order. */
export function swapMainDescriptors(state: MainState, swap: (fd: number) => number): MainState {
  return {
    ...state,
    apps: {
      ...state.apps,
      listener: swap(state.apps.listener),
      channels: state.apps.channels.map((channel) => ({ ...channel, fd: swap(channel.fd) })),
    },
    admin: swap(state.admin),
    listener: state.listener < 0 ? -1 : swap(state.listener),
    runtimes: state.runtimes.map(({ fd, fds }) => ({ fd: swap(fd), fds: fds.map(swap) })),
    lock: swap(state.lock),
  };
}
