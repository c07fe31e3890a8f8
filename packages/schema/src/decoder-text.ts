import { segmentBytesMin } from "./limits.ts";
import { ProtobufCode as Code } from "./protobuf-reasons.ts";

/**
 * How a generated decoder puts strings, bytes and unknown fields into the message; text, like the writer's
 * prelude. It uses the variables of the decoder's.
 */
export const decoderText: string = `
// The string area so far. Short strings are put together in 'scratch'; long ones stay where they are, and
// 'pieces' says after how many bytes of scratch each of them comes: scratch so far, start, length.
let textBytes = 0, anyWide = false, scratch = new Uint8Array(4096), scratchBytes = 0;
const pieces = [];
let segmentBytes = 0;

function string(k, from, n, isChecked) {
  i32[k] = textBytes;
  if (scratchBytes + n > scratch.length && n <= 4096) growScratch(n);
  if (n > 192) {
    longText(k, from, n, isChecked);
    return;
  }
  const source = src, target = scratch, stop = scratchBytes + n;
  let bits = 0, at = scratchBytes, i = from;
  // Four at a time, which takes half as long.
  while (at + 4 <= stop) {
    const a = source[i], b = source[i + 1], c = source[i + 2], d = source[i + 3];
    bits |= a | b | c | d;
    target[at] = a;
    target[at + 1] = b;
    target[at + 2] = c;
    target[at + 3] = d;
    at += 4;
    i += 4;
  }
  while (at < stop) {
    const a = source[i++];
    bits |= a;
    target[at++] = a;
  }
  if (bits < 128) {
    i32[k + 1] = n;
  } else if (isUtf8(source.subarray(from, from + n))) {
    i32[k + 1] = n | 0x80000000;
    anyWide = true;
  } else {
    repair(k, from, n, isChecked);
    return;
  }
  textBytes += n;
  scratchBytes = stop;
}

function longText(k, from, n, isChecked) {
  const part = src.subarray(from, from + n);
  if (isAscii(part)) {
    i32[k + 1] = n;
  } else if (isUtf8(part)) {
    i32[k + 1] = n | 0x80000000;
    anyWide = true;
  } else {
    repair(k, from, n, isChecked);
    return;
  }
  textBytes += n;
  if (n > 4096) {
    pieces.push(scratchBytes, from, n);
  } else {
    scratch.set(part, scratchBytes);
    scratchBytes += n;
  }
}

/** Where a schema does not ask for UTF-8, replacement characters take the place of what is not. */
function repair(k, from, n, isChecked) {
  if (isChecked) fail(${Code.TEXT}, from);
  const text = repaired(src.subarray(from, from + n));
  if (scratchBytes + text.length > scratch.length) growScratch(text.length);
  scratch.set(text, scratchBytes);
  scratchBytes += text.length;
  i32[k + 1] = text.length | 0x80000000;
  textBytes += text.length;
  anyWide = true;
}

function growScratch(n) {
  const more = new Uint8Array(Math.max(scratch.length * 2, scratchBytes + n));
  more.set(scratch);
  scratch = more;
}

function putText(area, stop) {
  i32[(stop >> 2) - 2] = 0;
  i32[(stop >> 2) - 1] = 0;
  let to = area, done = 0;
  for (let i = 0; i < pieces.length; i += 3) {
    to = copy(scratch, done, to, pieces[i] - done);
    done = pieces[i];
    to = copy(src, pieces[i + 1], to, pieces[i + 2]);
  }
  copy(scratch, done, to, scratchBytes - done);
}

function copy(source, from, to, n) {
  if (n <= 64) for (let i = 0; i < n; i++) u8[to + i] = source[from + i];
  else u8.set(source.subarray(from, from + n), to);
  return to + n;
}

function bytes(k, from, n) {
  if (n >= ${segmentBytesMin}) {
    if (sink.add(src.subarray(from, from + n)) >= 0) {
      i32[k] = (segmentBytes / 8) | 0x80000000;
      i32[k + 1] = n;
      segmentBytes += padded(n);
      return;
    }
  }
  const p = cursor;
  cursor += padded(n);
  i32[k] = p - base;
  i32[k + 1] = n;
  if (n === 0 || cursor > limit) return;
  const e = cursor >> 2;
  i32[e - 2] = 0;
  i32[e - 1] = 0;
  copy(src, from, p, n);
}

/** The fields that the type does not have, as they came. */
function unknown(q, last) {
  let n = 0, row = last;
  do {
    row = tape[row + 3];
    n += tape[row + 1] - tape[row];
  } while (row !== last);
  const p = cursor;
  cursor += padded(n + 4);
  i32[q] = p - base;
  if (cursor > limit) return;
  const e = cursor >> 2;
  i32[e - 2] = 0;
  i32[e - 1] = 0;
  i32[p >> 2] = n;
  let to = p + 4;
  do {
    row = tape[row + 3];
    to = copy(src, tape[row], to, tape[row + 1] - tape[row]);
  } while (row !== last);
}
`;
