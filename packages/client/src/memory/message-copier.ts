/** Copies messages the way they would go through shared memory: written and read by the generated code. */
import type { MessageCodec, SegmentSink } from "@koala/schema";
import { type Memory, openMemory } from "@koala/shm";

const smallBytes = 64 * 1024;
/** Large bytes stay in the message. */
const noSegments: SegmentSink = { add: () => -1 };

export class MessageCopier {
  private readonly small: Memory = openMemory(new ArrayBuffer(smallBytes));

  /** What a receiver gets. Throws a `KoalaError` for a value that its field can't have. */
  copy(input: MessageCodec, message: unknown, output: MessageCodec): unknown {
    let memory = this.small;
    let length = input.write(message, memory, 0, smallBytes, noSegments);
    while (length < 0) {
      memory = openMemory(new ArrayBuffer(Math.ceil(-length / 8) * 8));
      length = input.write(message, memory, 0, memory.buffer.byteLength, noSegments);
    }
    return output.read(memory, 0, length);
  }
}
