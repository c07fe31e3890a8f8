import { KoalaError } from "@koala/interface";

/**
 * One mapped or private `ArrayBuffer` under every element type that generated code uses.
 *
 * Views are made once per region, never per message: creating a typed array costs more than reading a
 * small message. All offsets in layouts are multiples of their element's size and message bodies start
 * at multiples of 8, so plain typed arrays serve and no DataView is needed. Byte order is the host's,
 * which is little-endian on everything Node runs on here; `openMemory` refuses anything else.
 */
export interface Memory {
  readonly buffer: ArrayBuffer;
  readonly u8: Uint8Array;
  readonly i32: Int32Array;
  readonly u32: Uint32Array;
  readonly f32: Float32Array;
  readonly f64: Float64Array;
  readonly i64: BigInt64Array;
  readonly u64: BigUint64Array;
  /** Over the same bytes, for Node's native string reads and writes. */
  readonly node: Buffer;
}

const littleEndian = new Uint8Array(new Uint32Array([1]).buffer)[0] === 1;

/** Makes the views. The buffer's length must be a multiple of 8. */
export function openMemory(buffer: ArrayBuffer): Memory {
  if (!littleEndian) {
    throw new KoalaError(
      "ERR_SHM_BYTE_ORDER",
      "Koala's layouts are little-endian and this machine is not; it can't run here",
    );
  }
  return {
    buffer,
    u8: new Uint8Array(buffer),
    i32: new Int32Array(buffer),
    u32: new Uint32Array(buffer),
    f32: new Float32Array(buffer),
    f64: new Float64Array(buffer),
    i64: new BigInt64Array(buffer),
    u64: new BigUint64Array(buffer),
    node: Buffer.from(buffer),
  };
}
