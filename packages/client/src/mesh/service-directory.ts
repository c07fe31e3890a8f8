/**
 * What can be called through the daemon, and the descriptors of it, for programs that have no generated code:
 * gateways and tools.
 */
import { createFileRegistry, type DescService, fromBinary } from "@bufbuild/protobuf";
import { FileDescriptorSetSchema } from "@bufbuild/protobuf/wkt";
import { KoalaError, messageOf } from "@koala/interface";
import { closeFd, regionReadAt } from "@koala/native";
import type { AppRequest, DaemonMessage, ServiceOffer } from "@koala/protocol";
import type { Datapath } from "./datapath.ts";
import type { Log } from "./log.ts";

/** Told of everything that can be called. */
export type ServicesListener = (services: readonly ServiceOffer[]) => void;

export interface DirectoryOptions {
  /** The connection that there is. */
  datapath: () => Datapath | null;
  /** How long an answer may take. */
  waitMs: number;
  log: Log;
}

/** A question whose answer does not come, because the daemon was replaced meanwhile, is asked again. */
const repeatMs = 1000;

export class ServiceDirectory {
  private readonly options: DirectoryOptions;
  private readonly listeners = new Set<ServicesListener>();

  constructor(options: DirectoryOptions) {
    this.options = options;
  }

  /** See `Mesh.describe`. */
  async describe(service: string, target: string | undefined): Promise<DescService> {
    const bytes = await this.ask((seq) => ({ op: "describe", seq, service, target }), service);
    let desc: DescService | undefined;
    try {
      desc = createFileRegistry(fromBinary(FileDescriptorSetSchema, bytes)).getService(service);
    } catch (cause) {
      const text = `${service}: its descriptors can't be read: ${messageOf(cause)}`;
      throw new KoalaError("ERR_DESCRIBE_SCHEMA", text, { cause });
    }
    if (desc !== undefined) return desc;
    throw new KoalaError("ERR_DESCRIBE_SCHEMA", `${service}: its descriptors do not contain it`);
  }

  /** See `Mesh.services`. */
  async services(): Promise<ServiceOffer[]> {
    const watch = this.listeners.size > 0;
    const bytes = await this.ask((seq) => ({ op: "services", seq, watch }), "services");
    return JSON.parse(Buffer.from(bytes).toString()) as ServiceOffer[];
  }

  /** See `Mesh.watchServices`. */
  watch(listener: ServicesListener): () => void {
    // A function that is given twice counts twice.
    const own: ServicesListener = (services) => listener(services);
    this.listeners.add(own);
    this.refresh();
    return () => void this.listeners.delete(own);
  }

  /** There is a new connection, or something has changed behind the one that there is. */
  refresh(): void {
    if (this.listeners.size === 0 || this.options.datapath() === null) return;
    this.services().then(
      (services) => {
        for (const listener of this.listeners) listener(services);
      },
      // The next connection asks again.
      (error) => this.options.log("info", `services: ${messageOf(error)}`),
    );
  }

  private async ask(
    requestOf: (seq: number) => AppRequest & { seq: number },
    what: string,
  ): Promise<Uint8Array> {
    const deadline = performance.now() + this.options.waitMs;
    do {
      const datapath = this.options.datapath();
      const waitMs = Math.min(repeatMs, Math.max(0, deadline - performance.now()));
      if (datapath === null) await pause(Math.min(waitMs, 20));
      else {
        const answer = await askOnce(datapath, requestOf, waitMs);
        if (answer instanceof Uint8Array) return answer;
        if (answer !== null) throw new KoalaError(answer.code, answer.message);
      }
    } while (performance.now() < deadline);
    throw new KoalaError(
      "ERR_DESCRIBE_TIMEOUT",
      `${what}: the daemon has not answered in ${this.options.waitMs} ms (waitMs); it is away, or busy: try again`,
    );
  }
}

/** The bytes of the answer, what the daemon refused with, or null when there was no answer in time. */
function askOnce(
  { control }: Datapath,
  requestOf: (seq: number) => AppRequest & { seq: number },
  waitMs: number,
): Promise<Uint8Array | (DaemonMessage & { op: "refused" }) | null> {
  return new Promise((resolve) => {
    const timer = setTimeout(() => resolve(null), waitMs);
    control.request(requestOf(control.nextSeq()), [], (answer, fds) => {
      clearTimeout(timer);
      if (answer.op === "described" || answer.op === "services") {
        const bytes = new Uint8Array(answer.bytes);
        const read = fds.length === 1 ? regionReadAt(fds[0]!, bytes, 0, bytes.length) : -1;
        resolve(read === bytes.length ? bytes : null);
      } else resolve(answer.op === "refused" ? answer : null);
      fds.forEach(closeFd);
    });
  });
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
