/** What the far side of a link offers, as it has told in HELLO and SERVICES. */
import { offersMax, type ServiceOffer, type Services } from "@koala/protocol";

export class ServiceList {
  /** Complete lists only. */
  offers: readonly ServiceOffer[] = [];
  /** Parts of the next list, which is not complete yet. */
  private parts: ServiceOffer[] = [];
  /** By mesh name: instances by service. */
  private readonly names = new Map<string, Map<string, number>>();

  /** Takes a list over; one that was on its way in parts is forgotten. */
  set(offers: readonly ServiceOffer[], parts: readonly ServiceOffer[] = []): void {
    this.offers = offers;
    this.parts = [...parts];
    this.names.clear();
    for (const { name, service, instances } of offers) {
      const services = this.names.get(name) ?? new Map<string, number>();
      services.set(service, instances + (services.get(service) ?? 0));
      this.names.set(name, services);
    }
  }

  /** A SERVICES frame: "done" when a list is complete, else "more", or what is wrong with it. */
  take({ services, more = false }: Services): string {
    const parts = [...this.parts, ...services];
    if (parts.length > offersMax) return `more than ${offersMax} services`;
    if (!more) this.set(parts);
    else this.parts = parts;
    return more ? "more" : "done";
  }

  /** How much of it is there: nobody of this name, only the name, or the service. */
  find(target: string, service: string): "no" | "name" | "service" {
    const services = this.names.get(target);
    if (services === undefined) return "no";
    return services.has(service) ? "service" : "name";
  }

  instances(target: string, service: string): number {
    return this.names.get(target)?.get(service) ?? 0;
  }

  allNames(): string[] {
    return [...this.names.keys()];
  }

  /** For a successor, with `offers`: what `set` wants as its second argument. */
  unfinished(): readonly ServiceOffer[] {
    return this.parts;
  }
}
