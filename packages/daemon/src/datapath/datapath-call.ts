/** A call of the datapath as the policy engine sees it; one object a call, reused with it. */
import type { Origin, Status } from "@koala/interface";
import type { Caller, Endpoint, TraceContext } from "@koala/policy";
import type { CallSource } from "@koala/policy/engine";
import type { MethodSchema } from "@koala/schema";
import { BodyMessage, type PolicyMemory } from "./body-message.ts";
import type { Call } from "./call.ts";

/** What a call asks the datapath for on behalf of its policies. */
export interface CallHost {
  readonly memory: PolicyMemory;
  nextRequestId(): string;
  timeLeftMs(call: Call): number;
  endpointOf(call: Call): Endpoint | undefined;
  wake(call: Call): void;
}

export class DatapathCall implements CallSource {
  readonly call: Call;
  readonly request: BodyMessage;
  readonly response: BodyMessage;
  /** Valid while a reply passes the chain. */
  status: Status = 0;
  origin: Origin = 0;
  /** Text of a status of the daemon's own; "" for a reply that came as a message. */
  text = "";
  priority = 0;
  private readonly host: CallHost;
  private id = "";

  constructor(call: Call, host: CallHost) {
    this.call = call;
    this.host = host;
    this.request = new BodyMessage(host.memory);
    this.response = new BodyMessage(host.memory);
  }

  /** A new call begins. */
  begin(requestId: string): void {
    this.id = requestId;
  }

  get requestId(): string {
    if (this.id === "") this.id = this.host.nextRequestId();
    return this.id;
  }
  get target(): string {
    return this.call.binding!.target;
  }
  get service(): string {
    return this.call.binding!.schema.typeName;
  }
  get method(): MethodSchema {
    return this.call.method!;
  }
  get caller(): Caller {
    return this.call.binding!.identity;
  }
  get timeLeftMs(): number {
    return this.host.timeLeftMs(this.call);
  }
  get endpoint(): Endpoint | undefined {
    return this.host.endpointOf(this.call);
  }
  get statusMessage(): string {
    return this.text === "" ? this.response.text : this.text;
  }
  get trace(): TraceContext | undefined {
    return this.request.trace;
  }
  set trace(trace: TraceContext | undefined) {
    this.request.trace = trace;
  }

  wake(): void {
    this.host.wake(this.call);
  }
}
