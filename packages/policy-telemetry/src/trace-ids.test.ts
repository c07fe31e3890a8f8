import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { formatTraceParent, readTraceParent, TraceIds } from "./trace-ids.ts";

const traceId = "0af7651916cd43dd8448eb211c80319c";
const spanId = "b7ad6b7169203331";

describe("TraceIds", () => {
  it("makes ids of the right length that are all different, over many refills", () => {
    const ids = new TraceIds();
    const seen = new Set<string>();
    for (let i = 0; i < 5000; i++) {
      const trace = ids.traceId();
      const span = ids.spanId();
      assert.match(trace, /^[0-9a-f]{32}$/);
      assert.match(span, /^[0-9a-f]{16}$/);
      seen.add(trace).add(span);
    }
    assert.equal(seen.size, 10_000);
  });
});

describe("readTraceParent", () => {
  it("reads what formatTraceParent writes", () => {
    for (const sampled of [true, false]) {
      const trace = { traceId, spanId, sampled };
      assert.deepEqual(readTraceParent(formatTraceParent(trace)), trace);
    }
  });

  it("reads versions that are yet to come, and flags that it does not know", () => {
    const expected = { traceId, spanId, sampled: true };
    assert.deepEqual(readTraceParent(`cc-${traceId}-${spanId}-03-what-comes`), expected);
    assert.deepEqual(readTraceParent(`00-${traceId}-${spanId}-03`), expected);
    assert.equal(readTraceParent(`00-${traceId}-${spanId}-02`)?.sampled, false);
  });

  it("ignores what W3C calls invalid", () => {
    for (const text of [
      "",
      "garbage",
      `ff-${traceId}-${spanId}-01`,
      `00-${"0".repeat(32)}-${spanId}-01`,
      `00-${traceId}-${"0".repeat(16)}-01`,
      `00-${traceId.toUpperCase()}-${spanId}-01`,
      `00-${traceId}-${spanId}-01-more`,
      `00-${traceId}-${spanId}`,
      `00-${traceId.slice(1)}-${spanId}-01`,
      ` 00-${traceId}-${spanId}-01`,
    ]) {
      assert.equal(readTraceParent(text), undefined, text);
    }
  });
});
