/** An attached app as one runtime hands it to another one: what its host keeps, and its engine's state. */
import type { AppIdentity } from "../worker/commands.ts";
import {
  type EndpointState,
  endpointDescriptors,
  withEndpointDescriptors,
} from "./endpoint-state.ts";

/** A schema, by what `SchemaStore.acquire` wants. */
export interface SchemaRef {
  readonly service: string;
  readonly hash: string;
}

export interface BindingState extends SchemaRef {
  /** The mesh name that is called. */
  readonly target: string;
}

export interface ExportState extends SchemaRef {
  /** The mesh name that is served. */
  readonly name: string;
}

export interface AppState {
  readonly id: number;
  readonly identity: AppIdentity;
  /** The runtime's own descriptor of the control channel. */
  readonly controlFd: number;
  /** Wakes the runtime. */
  readonly doorbell: number;
  /** Wakes the app. */
  readonly appDoorbell: number;
  readonly region: { readonly fd: number; readonly bytes: number };
  readonly ringSlots: number;
  readonly callsMax: number;
  readonly attachedMs: number;
  /** It is to be told when what can be reached changes. */
  readonly watchesServices?: boolean;
  /** By id; null where there is none any more. */
  readonly bindings: readonly (BindingState | null)[];
  readonly exports: readonly (ExportState | null)[];
  readonly endpoint: EndpointState;
}

/** Every descriptor in a state, in a fixed order. */
export function appDescriptors(state: AppState): number[] {
  const { controlFd, doorbell, appDoorbell, region, endpoint } = state;
  return [controlFd, doorbell, appDoorbell, region.fd, ...endpointDescriptors(endpoint)];
}

/** The same state with other numbers for its descriptors, in the same order. */
export function withAppDescriptors(state: AppState, fds: readonly number[]): AppState {
  const [controlFd, doorbell, appDoorbell, regionFd, ...rest] = fds;
  return {
    ...state,
    controlFd: controlFd!,
    doorbell: doorbell!,
    appDoorbell: appDoorbell!,
    region: { ...state.region, fd: regionFd! },
    endpoint: withEndpointDescriptors(state.endpoint, rest),
  };
}
