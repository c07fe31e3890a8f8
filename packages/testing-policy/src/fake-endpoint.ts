/** A server that is not there. */
import type { Endpoint } from "@koala/policy";

/** How a test names a server: by its label, or with more. */
export type EndpointInit = string | (Partial<Endpoint> & { readonly label: string });

export class FakeEndpoint implements Endpoint {
  readonly label: string;
  readonly isLocal: boolean;
  readonly instances: number;
  inFlight: number;

  constructor(init: EndpointInit) {
    const given = typeof init === "string" ? { label: init } : init;
    this.label = given.label;
    this.isLocal = given.isLocal ?? true;
    this.instances = given.instances ?? 1;
    this.inFlight = given.inFlight ?? 0;
  }
}
