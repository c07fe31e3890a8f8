/** The part of every generated transcoder that does not depend on the types; text, like the writer's. */
export const transcoderPrelude = `
const { isAscii, isUtf8, mergeUnknown, unknownEnum } = rt;
// Set for the time of a call only: what lives on must not keep the memory of an app that is gone.
let su8 = null, si32 = null, tu8 = null, ti32 = null;
// The source: its body, its string area and its segments, absolute.
let start = 0, area = 0, segments = 0;
// The target: its body, the next free byte and the end of the block, absolute.
let base = 0, cursor = 0, limit = 0;
// The target's string area so far: its length, and the spans of the source that make it up.
let at = 0, anyWide = false, spanCount = 0, spans = new Float64Array(64);
// A value has no counterpart in the target: text that is not UTF-8, a required field that is absent.
let failed = false, depth = 0;

function transcode(from, sourceOffset, sourceInlineLength, to, targetOffset, targetLimit) {
  su8 = from.u8; si32 = from.i32; tu8 = to.u8; ti32 = to.i32;
  const result = attempt(sourceOffset, sourceInlineLength, targetOffset, targetLimit);
  su8 = si32 = tu8 = ti32 = null;
  return result;
}

function attempt(sourceOffset, sourceInlineLength, targetOffset, targetLimit) {
  start = sourceOffset;
  area = start + si32[start >> 2];
  segments = start + sourceInlineLength;
  base = targetOffset;
  limit = targetLimit < tu8.length ? targetLimit : tu8.length;
  cursor = base + 8 + ROOT;
  at = 0;
  anyWide = false;
  spanCount = 0;
  failed = false;
  depth = 0;
  if (cursor <= limit) t0(start + 8, base + 8);
  if (failed) return 0;
  const structs = cursor - base, end = cursor + padded(at);
  if (end > limit) return -wanted(end - base);
  if (at !== 0) copyText(end);
  ti32[base >> 2] = structs;
  ti32[(base >> 2) + 1] = anyWide ? at | 0x80000000 : at;
  return end - base;
}

function copyText(end) {
  ti32[(end >> 2) - 2] = 0;
  ti32[(end >> 2) - 1] = 0;
  let to = cursor;
  for (let i = 0; i < spanCount; i += 2) {
    const from = spans[i], n = spans[i + 1] - from;
    copy(from, to, n);
    to += n;
  }
}

function copy(from, to, n) {
  if (n <= 64) for (let i = 0; i < n; i++) tu8[to + i] = su8[from + i];
  else tu8.set(su8.subarray(from, from + n), to);
}

/** Children of what did not fit were not counted, hence at least twice the room there was. */
function wanted(bytes) {
  const twice = cursor > limit ? (limit - base) * 2 : 0;
  return Math.min(Math.max(padded(bytes), padded(twice), 64), 0x7ffffff0);
}

function padded(bytes) {
  return bytes + ((8 - (bytes & 7)) & 7);
}

function span(from, n) {
  at += n;
  if (n === 0) return;
  if (spanCount !== 0 && spans[spanCount - 1] === from) {
    spans[spanCount - 1] = from + n;
    return;
  }
  if (spanCount === spans.length) {
    const more = new Float64Array(spanCount * 2);
    more.set(spans);
    spans = more;
  }
  spans[spanCount] = from;
  spans[spanCount + 1] = from + n;
  spanCount += 2;
}

function string(k, j) {
  const n = si32[j + 1];
  ti32[k] = at;
  ti32[k + 1] = n;
  if (n < 0) anyWide = true;
  span(area + si32[j], n & 0x7fffffff);
}

function bytes(k, j) {
  const r = si32[j], n = si32[j + 1] & 0x7fffffff;
  if (r < 0) {
    ti32[k] = r;
    ti32[k + 1] = n;
  } else {
    inline(k, start + r, n);
  }
}

function inline(k, from, n) {
  const p = cursor;
  cursor += padded(n);
  ti32[k] = p - base;
  ti32[k + 1] = n;
  if (n === 0 || cursor > limit) return;
  const e = cursor >> 2;
  ti32[e - 2] = 0;
  ti32[e - 1] = 0;
  copy(from, p, n);
}

function stringTo_bytes(k, j) {
  inline(k, area + si32[j], si32[j + 1] & 0x7fffffff);
}

function bytesTo_string(k, j) {
  const r = si32[j], n = si32[j + 1] & 0x7fffffff;
  const from = r < 0 ? segments + (r & 0x7fffffff) * 8 : start + r;
  const text = su8.subarray(from, from + n);
  ti32[k] = at;
  if (isAscii(text)) {
    ti32[k + 1] = n;
  } else {
    if (!isUtf8(text)) failed = true;
    ti32[k + 1] = n | 0x80000000;
    anyWide = true;
  }
  span(from, n);
}

function unknown(k, r, known, extra) {
  const from = start + r;
  const blob = mergeUnknown(su8, from + 4, r === 0 ? 0 : si32[from >> 2], known, extra);
  if (blob === null) {
    ti32[k] = 0;
    return;
  }
  const p = cursor, n = blob.length;
  cursor += padded(n + 4);
  ti32[k] = p - base;
  if (cursor > limit) return;
  const e = cursor >> 2;
  ti32[e - 2] = 0;
  ti32[e - 1] = 0;
  ti32[p >> 2] = n;
  tu8.set(blob, p + 4);
}

function zigzag(low, high) {
  return high < 0 ? low | 0x80000000 : low & 0x7fffffff;
}

function isOneOf(numbers, value) {
  return numbers.includes(value);
}
`;
