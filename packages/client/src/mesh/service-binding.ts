/**
 * One service under one mesh name, as a client uses it. It is bound on each connection anew; calls made
 * before that wait here.
 */
import type { DescService } from "@bufbuild/protobuf";
import { KoalaError, Status, statusFrom } from "@koala/interface";
import { closeFd } from "@koala/native";
import type { DaemonMessage } from "@koala/protocol";
import { type ServiceSchema, serviceSchemaOf } from "@koala/schema";
import { ClientMethod } from "../calls/client-method.ts";
import { WaitingCalls } from "../calls/waiting-calls.ts";
import { RpcError } from "../errors/rpc-error.ts";
import type { Datapath } from "./datapath.ts";
import type { MeshConnection } from "./mesh.ts";
import { schemaRegion } from "./schema-region.ts";

export class ServiceBinding {
  readonly mesh: MeshConnection;
  readonly target: string;
  readonly schema: ServiceSchema;
  readonly methods: readonly ClientMethod[];
  /** Where calls go; null while the service is not bound. */
  datapath: Datapath | null = null;
  /** What the daemon calls the binding. */
  id = 0;
  /** Calls that wait for the binding. */
  readonly waiting: WaitingCalls = new WaitingCalls();
  private readonly desc: DescService;
  private requestedFrom: Datapath | null = null;

  constructor(mesh: MeshConnection, desc: DescService, target: string) {
    this.mesh = mesh;
    this.desc = desc;
    this.target = target;
    this.schema = serviceSchemaOf(desc);
    this.methods = desc.methods.map(
      (method, index) => new ClientMethod(this, method, this.schema.methods[index]!),
    );
  }

  /** Whether this binding was made from that very descriptor. */
  isOf(desc: DescService): boolean {
    return this.desc === desc;
  }

  /** Asks the daemon for the binding, once a connection; again after it was refused. */
  bind(datapath: Datapath): void {
    if (this.requestedFrom === datapath || this.datapath === datapath) return;
    this.requestedFrom = datapath;
    const { control } = datapath;
    const { schema, target } = this;
    const seq = control.nextSeq();
    const fd = schemaRegion(schema);
    const { typeName: service, hash, descriptorSet } = schema;
    const schemaBytes = descriptorSet.length;
    control.request(
      { op: "bind", seq, target, service, hash, schemaBytes },
      [fd],
      (answer, fds) => {
        fds.forEach(closeFd);
        if (this.requestedFrom !== datapath || datapath.ended) return;
        this.requestedFrom = null;
        if (answer.op === "bound") this.open(datapath, answer.binding);
        else this.refuse(answer);
      },
    );
  }

  /** The connection takes no calls any more. */
  unbind(): void {
    this.datapath = null;
    this.requestedFrom = null;
  }

  private open(datapath: Datapath, id: number): void {
    this.datapath = datapath;
    this.id = id;
    for (const call of this.waiting.takeAll()) this.mesh.waitForRoom(datapath, call);
    datapath.pump();
    datapath.schedule();
  }

  private refuse(answer: DaemonMessage): void {
    const error =
      answer.op === "refused"
        ? new RpcError(statusFrom(answer.status), answer.message, {
            origin: "local-daemon",
            cause: new KoalaError(answer.code, answer.message),
          })
        : new RpcError(Status.INTERNAL, `unexpected answer "${answer.op}" to bind`, {
            origin: "local-daemon",
          });
    for (let call = this.waiting.first; call !== null; call = this.waiting.first) {
      this.mesh.leave(call);
      call.reject(error);
    }
  }
}
