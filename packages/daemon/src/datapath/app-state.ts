/** An attached app as one runtime hands it to another one: what its host keeps, and its engine's state. */
import type { AppIdentity } from "../worker/commands.ts";
import {
  type EndpointState,
  endpointDescriptors,
  withEndpointDescriptors,
} from "./endpoint-state.ts";

export interface AppState {
  readonly id: number;
  readonly identity: AppIdentity;
  /** The runtime's own descriptor of the control channel. */
  readonly controlFd: number;
  /** Wakes the runtime. */
  readonly doorbell: number;
  /** Wakes the app. */
  readonly appDoorbell: number;
  readonly rings: { readonly fd: number; readonly bytes: number };
  readonly ringSlots: number;
  readonly callsMax: number;
  readonly attachedMs: number;
  readonly endpoint: EndpointState;
}

/** Every descriptor in a state, in a fixed order. */
export function appDescriptors(state: AppState): number[] {
  const { controlFd, doorbell, appDoorbell, rings, endpoint } = state;
  return [controlFd, doorbell, appDoorbell, rings.fd, ...endpointDescriptors(endpoint)];
}

/** The same state with other numbers for its descriptors, in the same order. */
export function withAppDescriptors(state: AppState, fds: readonly number[]): AppState {
  const [controlFd, doorbell, appDoorbell, ringsFd, ...rest] = fds;
  return {
    ...state,
    controlFd: controlFd!,
    doorbell: doorbell!,
    appDoorbell: appDoorbell!,
    rings: { ...state.rings, fd: ringsFd! },
    endpoint: withEndpointDescriptors(state.endpoint, rest),
  };
}
