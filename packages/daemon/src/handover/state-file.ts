/**
 * Plain values in a memfd, to be read by another process. Bytes lie beside the values, so that large ones
 * are copied once on each side.
 *
 * ```
 *  0 taken │ 4 bytes of values │ 8 values (structured clone of V8) │ padding │ bytes of typed arrays …
 * ```
 */
import { Deserializer, Serializer } from "node:v8";
import { KoalaError } from "@koala/interface";
import { closeFd, regionBytes, regionCreate, regionMap, regionUnmap } from "@koala/native";

const HEADER_BYTES = 8;
const TAKEN = 0;
const LENGTH = 1;

const kinds = [Uint8Array, Int32Array, Uint32Array, Float64Array] as const;

interface WithHostViews {
  _setTreatArrayBufferViewsAsHostObjects(flag: boolean): void;
}

class StateWriter extends Serializer {
  readonly pieces: Uint8Array[] = [];
  pieceBytes = 0;

  constructor() {
    super();
    // Not in the typings; without it, bytes would be part of the values.
    (this as unknown as WithHostViews)._setTreatArrayBufferViewsAsHostObjects(true);
  }

  _writeHostObject(view: ArrayBufferView): void {
    const kind = kinds.findIndex((type) => view instanceof type);
    if (kind < 0) throw new KoalaError("ERR_HANDOVER_STATE", "a view of a kind that no state has");
    this.writeUint32(kind);
    this.writeUint32(view.byteLength);
    this.writeUint32(this.pieceBytes);
    this.pieces.push(new Uint8Array(view.buffer, view.byteOffset, view.byteLength));
    this.pieceBytes += pad(view.byteLength);
  }
}

class StateReader extends Deserializer {
  private readonly memory: ArrayBuffer;
  private readonly piecesAt: number;

  constructor(memory: ArrayBuffer, length: number) {
    super(new Uint8Array(memory, HEADER_BYTES, length));
    this.memory = memory;
    this.piecesAt = pad(HEADER_BYTES + length);
  }

  _readHostObject(): ArrayBufferView {
    const type = kinds[this.readUint32()]!;
    const bytes = this.readUint32();
    const at = this.piecesAt + this.readUint32();
    return new type(this.memory.slice(at, at + bytes));
  }
}

/** A state in memory that other processes can map. The descriptor is the caller's. */
export interface StateFile {
  readonly fd: number;
  readonly bytes: number;
}

/** Writes a value of plain objects, arrays, numbers, strings and typed arrays. */
export function writeStateFile(name: string, value: unknown): StateFile {
  const writer = new StateWriter();
  writer.writeHeader();
  writer.writeValue(value);
  const values = writer.releaseBuffer();
  const piecesAt = pad(HEADER_BYTES + values.length);
  const bytes = piecesAt + writer.pieceBytes;
  const fd = regionCreate(name, bytes);
  try {
    const memory = regionMap(fd, bytes, true);
    const target = new Uint8Array(memory);
    new Int32Array(memory, 0, 2)[LENGTH] = values.length;
    target.set(values, HEADER_BYTES);
    let at = piecesAt;
    for (const piece of writer.pieces) {
      target.set(piece, at);
      at += pad(piece.length);
    }
    regionUnmap(memory);
    return { fd, bytes };
  } catch (error) {
    closeFd(fd);
    throw error;
  }
}

/** Reads what `writeStateFile` wrote; whoever calls knows what it is. */
export function readStateFile(fd: number): unknown {
  const memory = regionMap(fd, regionBytes(fd), false);
  try {
    const length = new Int32Array(memory, 0, 2)[LENGTH]!;
    const reader = new StateReader(memory, length);
    reader.readHeader();
    return reader.readValue();
  } finally {
    regionUnmap(memory);
  }
}

/** Whoever has read the state acts on it from now on: whoever wrote it must not go on. */
export function markTaken(fd: number): void {
  const memory = regionMap(fd, HEADER_BYTES, true);
  Atomics.store(new Int32Array(memory), TAKEN, 1);
  regionUnmap(memory);
}

/** Whether `markTaken` was called, by whichever process. */
export function isTaken(fd: number): boolean {
  const memory = regionMap(fd, HEADER_BYTES, false);
  const taken = Atomics.load(new Int32Array(memory), TAKEN) !== 0;
  regionUnmap(memory);
  return taken;
}

function pad(bytes: number): number {
  return (bytes + 7) & ~7;
}
