/** The service that the fault tests call, described here so that hostile parties can vary it. */
import { create, createFileRegistry, type DescService } from "@bufbuild/protobuf";
import {
  FieldDescriptorProto_Label,
  FieldDescriptorProto_Type,
  FileDescriptorProtoSchema,
} from "@bufbuild/protobuf/wkt";
import { type CallOptions, type HandlerContext, type Mesh, RpcError } from "@koala/mrpc";
import { type ServiceSchema, serviceSchemaOf } from "@koala/schema";

/** Request and reply of every method. */
export interface Parcel {
  /** Slow: milliseconds, 0 for ever. Fill: bytes of the reply's data. */
  amount?: number;
  data?: Uint8Array;
  text?: string;
  items?: Uint8Array[];
}

type Method = (request: Parcel, options?: CallOptions) => Promise<Required<Parcel>>;

/** Calls to it. */
export interface Depot {
  /** Gives back what it gets. */
  echo: Method;
  /** Answers after a while, or never; gives up with its caller. */
  slow: Method;
  /** Answers with as many bytes as it is asked for. */
  fill: Method;
}

const field = (
  name: string,
  number: number,
  type: FieldDescriptorProto_Type,
  repeated = false,
) => ({
  name,
  jsonName: name,
  number,
  type,
  label: repeated ? FieldDescriptorProto_Label.REPEATED : FieldDescriptorProto_Label.OPTIONAL,
});

const method = (name: string) => ({
  name,
  inputType: ".faults.v1.Parcel",
  outputType: ".faults.v1.Parcel",
});

const file = create(FileDescriptorProtoSchema, {
  name: "faults/v1/depot.proto",
  package: "faults.v1",
  syntax: "proto3",
  messageType: [
    {
      name: "Parcel",
      field: [
        field("amount", 1, FieldDescriptorProto_Type.UINT32),
        field("data", 2, FieldDescriptorProto_Type.BYTES),
        field("text", 3, FieldDescriptorProto_Type.STRING),
        field("items", 4, FieldDescriptorProto_Type.BYTES, true),
      ],
    },
  ],
  service: [{ name: "Depot", method: ["Echo", "Slow", "Fill"].map(method) }],
});

/** `faults.v1.Depot` */
export const depotService: DescService = createFileRegistry(file, () => undefined).getService(
  "faults.v1.Depot",
)!;
export const depotSchema: ServiceSchema = serviceSchemaOf(depotService);

/** Positions of the methods. */
export const ECHO = 0;
export const SLOW = 1;
export const FILL = 2;

/** A client of a depot. */
export function depotOf(mesh: Mesh, target: string): Depot {
  // The service has no generated types; its methods are those of `Depot`.
  return mesh.client(depotService, target) as unknown as Depot;
}

/** Serves a depot on a connection. */
export async function serveDepot(mesh: Mesh, name: string): Promise<{ close(): Promise<unknown> }> {
  return await mesh.serve({ name }, (routes) =>
    routes.service(depotService, {
      echo: (parcel: Parcel) => parcel,
      slow: (parcel: Parcel, { signal }: HandlerContext) => slow(parcel, signal),
      fill: ({ amount = 0 }: Parcel) => ({ data: new Uint8Array(amount).fill(7) }),
    } as never),
  );
}

/** How a call ended: `OK`, or `UNAVAILABLE/remote-app`. */
export async function outcomeOf(call: Promise<unknown>): Promise<string> {
  try {
    await call;
    return "OK";
  } catch (error) {
    if (!(error instanceof RpcError)) throw error;
    return `${error.statusName}/${error.origin}`;
  }
}

function slow(parcel: Parcel, signal: AbortSignal): Promise<Parcel> {
  return new Promise((resolve, reject) => {
    const stop = () => reject(new RpcError(1, "nobody waits any more"));
    signal.addEventListener("abort", stop, { once: true });
    const { amount = 0 } = parcel;
    if (amount > 0) setTimeout(() => resolve(parcel), amount);
  });
}
