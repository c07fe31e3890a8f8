/**
 * Answers apps that learn of services by name: what can be reached from here, and the descriptors of it. An app
 * that wants to hear of changes is told once that there was one, and then asks again, so that it
 * is never told faster than it asks.
 */
import { Status } from "@koala/interface";
import { closeFd } from "@koala/native";
import type { AppRequest, DaemonMessage } from "@koala/protocol";
import { sealedBytes } from "@koala/shm";
import type { Router } from "../datapath/router.ts";
import { describeService, reachableServices } from "../datapath/service-lookup.ts";
import { mergeOffers } from "../link/offers.ts";

/** Of an app, what is needed here. */
export interface DiscoveringApp {
  watchesServices: boolean;
}

export interface DiscoveryOptions<App extends DiscoveringApp> {
  router: Router;
  /** Sends a packet; the descriptors stay the caller's. */
  send(app: App, message: DaemonMessage, fds: readonly number[] | null): boolean;
}

export class Discovery<App extends DiscoveringApp> {
  private readonly options: DiscoveryOptions<App>;
  private readonly watching = new Set<App>();
  /** Apps whose questions may still be answered. */
  private readonly asking = new Map<App, number>();

  constructor(options: DiscoveryOptions<App>) {
    this.options = options;
    options.router.onRoutesChanged = () => this.routesChanged();
  }

  describe(app: App, { seq, service, target }: AppRequest & { op: "describe" }): void {
    const { router } = this.options;
    this.asking.set(app, (this.asking.get(app) ?? 0) + 1);
    describeService(router, { service, target }, "anywhere", (bytes) => {
      const questions = this.asking.get(app);
      // It went away meanwhile.
      if (questions === undefined) return;
      if (questions > 1) this.asking.set(app, questions - 1);
      else this.asking.delete(app);
      if (bytes !== undefined) {
        this.sendBytes(app, { op: "described", seq, bytes: bytes.length }, bytes);
        return;
      }
      const where = target === undefined ? "" : ` as "${target}"`;
      const message = `nobody offers ${service}${where} here; start a server of it, or look at koalactl services`;
      const { NOT_FOUND: status } = Status;
      const code = "ERR_DESCRIBE_SERVICE";
      this.options.send(app, { op: "refused", seq, code, status, message }, null);
    });
  }

  list(app: App, { seq, watch }: AppRequest & { op: "services" }): void {
    const offers = mergeOffers(reachableServices(this.options.router));
    const bytes = Buffer.from(JSON.stringify(offers));
    this.sendBytes(app, { op: "services", seq, bytes: bytes.length }, bytes);
    app.watchesServices = watch;
    if (watch) this.watching.add(app);
    else this.watching.delete(app);
  }

  /** The app has been served elsewhere until now; what it has missed there it asks for. */
  adopt(app: App): void {
    if (!app.watchesServices) return;
    this.watching.add(app);
    this.routesChanged();
  }

  /** The app is gone from here. */
  forget(app: App): void {
    this.watching.delete(app);
    this.asking.delete(app);
  }

  private routesChanged(): void {
    for (const app of this.watching) {
      app.watchesServices = false;
      this.options.send(app, { op: "offers" }, null);
    }
    this.watching.clear();
  }

  private sendBytes(app: App, message: DaemonMessage, bytes: Uint8Array): void {
    const fd = sealedBytes("koala-answer", bytes);
    this.options.send(app, message, [fd]);
    closeFd(fd);
  }
}
