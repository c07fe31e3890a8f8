/** The gateway of a daemon, as its admin socket shows it, and as it says of itself in the daemon's folder. */

/** An ingress or an egress of the gateway. */
export interface GatewayDoor {
  /** As configured. */
  name: string;
  /** `host:port`: where it listens, with the real port, or where the server is that it speaks for. */
  address: string;
}

/** What a gateway that is ready has written to `gateway.json` in the daemon's folder. */
export interface GatewayState {
  pid: number;
  /** When the kernel says that the process started: tells it from another one with its number. */
  startTicks: string;
  /** ISO 8601. */
  startedAt: string;
  version: string;
  /** Hash of what it was told to do. */
  settings: string;
  ingresses: GatewayDoor[];
  egresses: GatewayDoor[];
}

/** Name of that file. */
export const GATEWAY_STATE = "gateway.json";

/** The gateway, by the daemon that starts it. */
export interface GatewayStatus {
  /** `failed`: it has ended and is started again soon. */
  state: "starting" | "running" | "failed";
  /** 0 when there is no process. */
  pid: number;
  startedAt: string;
  /** How often it has ended by itself, and why the last time. */
  restarts: number;
  lastFailure: string;
  ingresses: GatewayDoor[];
  egresses: GatewayDoor[];
}
