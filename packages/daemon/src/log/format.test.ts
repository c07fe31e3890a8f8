import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { createRecordWriter, formatText, type LogFormat } from "./format.ts";
import { printable, printableValue, textLengthMax } from "./printable.ts";
import { createRecord, type LogFields, type LogRecord } from "./record.ts";

const time = Date.UTC(2026, 10, 23, 11, 18, 0, 123);

function recordOf(message: string, fields?: LogFields): LogRecord {
  return createRecord(time, "info", "link", message, fields);
}

function lineOf(format: LogFormat, record: LogRecord): string {
  const lines: string[] = [];
  createRecordWriter(format, { write: (line) => lines.push(line) })(record);
  assert.equal(lines.length, 1);
  return lines[0]!;
}

describe("text lines", () => {
  it("have time, level, area, message and fields", () => {
    assert.equal(
      lineOf("text", recordOf("link up", { peer: "b", version: 1, ok: true, via: null })),
      "2026-11-23T11:18:00.123Z INFO  link    link up peer=b version=1 ok=true via=null\n",
    );
  });

  it("quote what could be misread", () => {
    const line = formatText(
      recordOf("m", { a: "b c", d: 'e="f"', g: "", h: "i\\j", "k l": "m=n" }),
    );
    assert.match(line, / m a="b c" d="e=\\"f\\"" g="" h="i\\\\j" "k l"="m=n"\n$/);
  });

  it("stay one line without control characters, whatever is in them", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary" }), fc.string({ unit: "binary" }), (a, b) => {
        const line = formatText(recordOf(a, { [b]: a, c: b }));
        assert.match(line, /^[^\p{Cc}\u2028\u2029\u202e\u2066]*\n$/u);
      }),
    );
    assert.equal(printable("a\n\u001b[2J\u202eb"), "a\\n\\u001b[2J\\u202eb");
    assert.equal(printableValue("a\nb"), '"a\\nb"');
  });
});

describe("JSON lines", () => {
  it("have the same, and no field hides another", () => {
    const record = recordOf("100%d", { peer: "b", level: 7, time: 1, msg: "x", area: "y" });
    assert.deepEqual(JSON.parse(lineOf("json", record)), {
      level: "info",
      time: "2026-11-23T11:18:00.123Z",
      area: "link",
      msg: "100%d",
      peer: "b",
      level_: 7,
      time_: 1,
      msg_: "x",
      area_: "y",
    });
  });

  it("are JSON of one line, whatever is in them", () => {
    fc.assert(
      fc.property(
        fc.string({ unit: "binary" }),
        fc.dictionary(fc.string(), fc.anything()),
        (a, b) => {
          const line = lineOf("json", recordOf(a, b));
          assert.match(line, /^[^\n]*\n$/);
          assert.equal(JSON.parse(line).msg, a);
        },
      ),
    );
  });
});

describe("createRecord", () => {
  it("makes plain values of everything", () => {
    const cycle: Record<string, unknown> = {};
    cycle["self"] = cycle;
    const cause = new Error("no route");
    const fields = {
      big: 2n ** 64n,
      not: Number.NaN,
      none: undefined,
      list: [1, 2n],
      cycle,
      call: () => 1,
      sign: Symbol("s"),
      error: Object.assign(new Error("gone", { cause }), { code: "ERR_LINK_GONE" }),
      get bad(): never {
        throw new Error("getter");
      },
    };
    assert.deepEqual(recordOf("m", fields).fields, {
      big: "18446744073709551616",
      not: "NaN",
      list: '[1,"2"]',
      cycle: "(not printable)",
      call: "(function)",
      sign: "Symbol(s)",
      error: "ERR_LINK_GONE gone: no route",
      bad: "(not printable)",
    });
    const bug = recordOf("m", { error: new TypeError("oops") }).fields["error"];
    assert.match(String(bug), /^TypeError: oops\n +at /);
  });

  it("is bounded", () => {
    const many = Object.fromEntries(
      Array.from({ length: 100 }, (_, index) => [`f${index}`, index]),
    );
    const { message, fields } = recordOf("m".repeat(1e6), { ...many, f0: "v".repeat(1e6) });
    assert.equal(message.length, textLengthMax + 1);
    assert.equal(String(fields["f0"]).length, textLengthMax + 1);
    assert.equal(Object.keys(fields).length, 33);
    assert.equal(fields["more"], 68);
  });
});
