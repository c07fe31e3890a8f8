/**
 * The messages by which the layout is measured against protobuf-es: a hotel-search reply and a flat one.
 * `bench/` drives these; nothing here measures.
 */
import { create, type DescMessage, fromBinary, type Message, toBinary } from "@bufbuild/protobuf";
import { assert } from "@koala/interface";
import { openMemory } from "@koala/shm";
import { codecFor } from "./codec.ts";
import { Color, type Flat, FlatSchema } from "./gen/bench/v1/flat_pb.ts";
import { type SearchReply, SearchReplySchema } from "./gen/hotel/v1/hotel_pb.ts";
import { protobufCodecOf } from "./generated-protobuf-codec.ts";

/** One message, both ways. Each function does a whole write and read and returns what was read. */
export interface LayoutCase {
  readonly name: string;
  /** Generated writer into shared-memory layout, generated reader out of it. */
  koala(): unknown;
  /** `toBinary` and `fromBinary`. */
  protobufEs(): unknown;
  /** The validator alone, on the written message. Returns its code. */
  validate(): number;
  /** The lazy view of the written message, with nothing read yet. */
  view(): unknown;
  /** From the layout to protobuf's encoding, in a new buffer; and from there to the layout. */
  encode(): Uint8Array;
  decode(): number;
  /** What protobuf-es takes for one way alone. */
  protobufEsEncode(): Uint8Array;
  protobufEsDecode(): unknown;
  /** For others to be compared with: the type, and the message in protobuf's encoding. */
  readonly desc: DescMessage;
  readonly encoded: Uint8Array;
  /** Size of the message in the layout, and in protobuf's encoding. */
  readonly bytes: number;
  readonly protobufBytes: number;
}

/** All cases. */
export function layoutCases(): LayoutCase[] {
  return [
    layoutCase("hotel", SearchReplySchema, hotelReply()),
    layoutCase("flat", FlatSchema, flatMessage()),
  ];
}

const noSegments = { add: (): number => -1 };
const noLengths = new Int32Array(0);

function layoutCase(name: string, desc: DescMessage, message: Message): LayoutCase {
  const codec = codecFor(desc);
  const memory = openMemory(new ArrayBuffer(1 << 16));
  const bytes = codec.write(message, memory, 0, 1 << 16, noSegments);
  assert(bytes > 0, `the ${name} message fits 64 KiB`);
  const protobuf = protobufCodecOf(codec);
  const target = openMemory(new ArrayBuffer(1 << 16));
  const encoded = Buffer.from(toBinary(desc, message));
  const { length } = encoded;
  return {
    name,
    bytes,
    desc,
    encoded,
    protobufBytes: length,
    encode: () => protobuf.read(memory, 0, bytes),
    decode: () => protobuf.decode(encoded, 0, length, target, 0, 1 << 16, noSegments),
    protobufEsEncode: () => toBinary(desc, message),
    protobufEsDecode: () => fromBinary(desc, encoded),
    koala: () => codec.read(memory, 0, codec.write(message, memory, 0, 1 << 16, noSegments)),
    protobufEs: () => fromBinary(desc, toBinary(desc, message)),
    validate: () => codec.validate(memory, 0, bytes, noLengths, 0),
    view: () => codec.view(memory, 0, bytes),
  };
}

/** Five hotels, about 1.3 kB in protobuf's encoding. */
export function hotelReply(): SearchReply {
  return create(SearchReplySchema, {
    hotels: Array.from({ length: 5 }, (_, i) => ({
      id: String(i + 1),
      name: ["Clift Hotel", "W San Francisco", "Hotel Zetta", "Hotel Vitale", "Phoenix Hotel"][i]!,
      phoneNumber: `(415) 775-47${10 + i}`,
      description: `A ${6 + i}-minute walk from Union Square and 4 minutes from a Muni Metro station, \
this hotel features an artsy furniture collection in the lobby.`,
      address: {
        streetNumber: String(495 + i),
        streetName: ["Geary St", "3rd St", "5th St", "Mission St", "Eddy St"][i]!,
        city: "San Francisco",
        state: "CA",
        country: "United States",
        postalCode: String(94102 + i),
        lat: Math.fround(37.7867 + i / 1000),
        lon: Math.fround(-122.4112 + i / 1000),
      },
      images: [{ url: `https://img.example.com/hotel-${i}.jpg`, default: i === 0 }],
    })),
  });
}

/** Ten fields: integers, floating point, bool, strings, enum, bytes. */
export function flatMessage(): Flat {
  return create(FlatSchema, {
    id: 4711,
    createdAtNs: 1_700_000_000_123_456_789n,
    ratio: 0.7315,
    enabled: true,
    name: "checkout-service",
    color: Color.GREEN,
    token: Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8),
    count: -12,
    score: 99.25,
    region: "eu-west-1",
  });
}
