/** What one runtime knows about itself, for the admin socket. Plain data. */
import type { ServiceOffer } from "@koala/protocol";
import type { AppIdentity } from "./commands.ts";

export interface AppStatus extends AppIdentity {
  id: number;
  runtime: number;
  callsMade: number;
  callsServed: number;
  /** Open calls, made and served. */
  outgoing: number;
  incoming: number;
  /** Messages that wait for room in the app's ring or heap. */
  parked: number;
  sendHeapBytes: number;
  receiveHeapBytes: number;
  receiveBlocks: number;
  exports: string[];
  attachedMs: number;
}

export interface LinkStatus {
  runtime: number;
  address: string;
  direction: "outgoing" | "incoming";
  state: "connecting" | "handshake" | "up" | "draining" | "down";
  /** Name of the daemon over there, once it is known. */
  peer: string;
  since: string;
  bytesIn: number;
  bytesOut: number;
  calls: number;
  parked: number;
  /** Why it is down. */
  problem: string;
  services: ServiceOffer[];
}

export interface BindingStatus {
  runtime: number;
  app: string;
  target: string;
  service: string;
  schema: string;
  /** Who serves it now. */
  endpoints: string[];
  /** Why nobody does; "" if somebody does. */
  problem: string;
}

export interface ServiceStatus {
  name: string;
  service: string;
  schema: string;
  /** `local` or the address of a link. */
  where: string;
  instances: number;
  methods: string[];
  /** base64 FileDescriptorSet, for services of this host. */
  descriptorSet: string;
}

export interface RuntimeStatus {
  index: number;
  rounds: number;
  sleeps: number;
  spins: number;
  spinHits: number;
  cpuSeconds: number;
  openCalls: number;
  apps: AppStatus[];
  links: LinkStatus[];
  bindings: BindingStatus[];
  services: ServiceStatus[];
}
