/** What one runtime tells the control plane about itself: the answers of the admin socket, and schemas. */
import type {
  RuntimeStatus as RuntimeAnswer,
  ServiceStatus as ServiceAnswer,
} from "@koala/protocol";

export type { AppStatus, BindingStatus, ClosureStatus, LinkStatus } from "@koala/protocol";

export interface ServiceStatus extends ServiceAnswer {
  /** base64 FileDescriptorSet, for services of this host. */
  descriptorSet: string;
}

export interface RuntimeStatus extends RuntimeAnswer {
  services: ServiceStatus[];
  /** What it polls. */
  engines: number;
}
