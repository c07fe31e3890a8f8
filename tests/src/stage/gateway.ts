/** A gateway in a process of its own, and a service behind it that has every kind of method. */
import { setTimeout } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { create, toBinary } from "@bufbuild/protobuf";
import { BinaryWriter, WireType } from "@bufbuild/protobuf/wire";
import { type Mesh, RpcError, type ServiceImpl, type Status } from "@koala/mrpc";
import { type Child, type Ending, spawnNode } from "@koala/testing";
import { FailureSchema, type Note, NoteSchema, Probe } from "../gen/test/v1/probe_pb.ts";
import { atEnd, type Daemon } from "./cluster.ts";
import { connectTo } from "./kitchen.ts";

const startDeadlineMs = 20_000;

/** A running koala-gateway. */
export interface GatewayProcess {
  /** `host:port` of its first ingress. */
  readonly address: string;
  readonly child: Child;
}

/** Starts a gateway at a daemon and waits until it takes calls. */
export async function startGateway(
  test: Ending,
  daemon: Pick<Daemon, "prefix">,
  args: readonly string[] = ["--ingress", "127.0.0.1:0"],
): Promise<GatewayProcess> {
  const program = fileURLToPath(import.meta.resolve("@koala/gateway/main"));
  const child = spawnNode(program, ["--prefix", daemon.prefix, ...args]);
  atEnd(test, () => child.stop());
  const [, address] = await child.line(/^koala-gateway: ingress .* at (\S+)$/, startDeadlineMs);
  await child.line(/^koala-gateway: ready/, startDeadlineMs);
  return { address: address!, child };
}

/** What the probe has seen. */
export interface ProbeLog {
  /** Why calls that were waiting have ended. */
  readonly ended: string[];
  /** Notes that handlers of streams have made. */
  made: number;
}

/** Serves the probe in this process, under a name. */
export async function serveProbe(
  test: Ending,
  daemon: Daemon,
  name: string = "probe",
): Promise<ProbeLog> {
  const mesh: Mesh = await connectTo(test, daemon);
  const log: ProbeLog = { ended: [], made: 0 };
  await mesh.serve({ name }, (router) => router.service(Probe, probe(log)));
  return log;
}

function probe(log: ProbeLog): ServiceImpl<typeof Probe> {
  return {
    echo(note, context) {
      for (const [key, value] of context.metadata) {
        if (!key.startsWith("x-")) continue;
        context.responseHeaderMetadata = [...context.responseHeaderMetadata, [key, value]];
        context.responseMetadata = [...context.responseMetadata, [`${key.slice(2)}`, value]];
      }
      return note.text === "late" ? late(context.signal, log) : note;
    },
    fail({ status, message }) {
      throw new RpcError(status as Status, message, {
        metadata: [["x-reason", "told to"]],
        details: statusDetails(status, message),
      });
    },
    async *list({ notes, bytes, status, hold }, context) {
      for (let number = 0; number < notes; number++) {
        log.made++;
        yield { number, data: new Uint8Array(bytes) };
      }
      if (hold) await late(context.signal, log);
      if (status !== 0) throw new RpcError(status as Status, "after all notes");
    },
    async collect(notes) {
      let number = 0;
      let text = "";
      for await (const note of notes) {
        number++;
        text += note.text;
      }
      return { number, text };
    },
    async *talk(notes, context) {
      context.responseHeaderMetadata = [["x-hello", "listening"]];
      context.sendHeader();
      for await (const note of notes) {
        log.made++;
        if (note.text === "fail") throw new RpcError(note.number as Status, "as told");
        yield note;
      }
    },
  };
}

/** A `google.rpc.Status` with the failure as its one detail. */
export function statusDetails(status: number, message: string): Uint8Array {
  const detail = toBinary(FailureSchema, create(FailureSchema, { status, message }));
  const { Varint, LengthDelimited } = WireType;
  return new BinaryWriter()
    .tag(1, Varint)
    .int32(status)
    .tag(2, LengthDelimited)
    .string(message)
    .tag(3, LengthDelimited)
    .fork()
    .tag(1, LengthDelimited)
    .string(`type.googleapis.com/${FailureSchema.typeName}`)
    .tag(2, LengthDelimited)
    .bytes(detail)
    .join()
    .finish();
}

/** Ends with the call only. */
async function late(signal: AbortSignal, log: ProbeLog): Promise<Note> {
  await setTimeout(100_000, undefined, { signal, ref: false }).catch(() => {});
  const { reason } = signal;
  log.ended.push(reason instanceof RpcError ? reason.statusName : String(reason));
  return create(NoteSchema);
}
