import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { checkConfig } from "./check.ts";
import { formatProblems } from "./problem.ts";

const host = { prefix: "/run/koala", name: "box", directory: "/" };

function messageOf(text: string): string {
  const { problems } = checkConfig({ text, fileName: "k.toml", host });
  return problems === null ? "" : formatProblems(problems.list);
}

describe("findRelationProblems", () => {
  it("names both positions when both values are in the file", () => {
    assert.equal(
      messageOf("[limits]\nring_slots = 4096\ncalls_per_app = 4096"),
      [
        "k.toml:2:14: ring_slots in [limits] must be at least 2 times calls_per_app in [limits], so at least 8192: a call may need a slot for itself and one for its cancellation. Found 4096 and 4096.",
        "    1 | [limits]",
        "    2 | ring_slots = 4096",
        "      |              ^^^^",
        "  k.toml:3:17: calls_per_app in [limits] is set here.",
        "    2 | ring_slots = 4096",
        "    3 | calls_per_app = 4096",
        "      |                 ^^^^",
      ].join("\n"),
    );
  });

  it("points to the one that is in the file, and says that the other is the default", () => {
    const message = messageOf("[limits]\ncalls_per_app = 4096");
    assert.match(message, /^k\.toml:2:17: ring_slots .* Found 4096 \(the default\) and 4096\.$/m);
    assert.match(messageOf('[link]\nframe = "1MiB"\n[limits]\nstream_window = "512KiB"'), /frame/);
  });

  it("holds for every pair", () => {
    const broken: readonly [text: string, words: RegExp][] = [
      ['limits.send_heap = "32MiB"', /send_heap .* message/],
      ['limits.receive_heap = "32MiB"', /receive_heap .* message/],
      [
        'limits.heap_region = "512MiB"',
        /send_heap .* heap_region[\s\S]*receive_heap .* heap_region/,
      ],
      ['limits.stream_window = "128MiB"', /link_window .* stream_window/],
      ['limits.stream_window = "64KiB"', /stream_window .* frame in \[link\]/],
      ['link.reconnect_min = "6s"', /reconnect_max .* reconnect_min .* Found 5s .* and 6s/],
    ];
    for (const [text, words] of broken) assert.match(messageOf(text), words);
  });

  it("allows values at the limit", () => {
    const text = [
      'limits.message = "256MiB"',
      'limits.heap_region = "256MiB"',
      'limits.link_window = "1MiB"',
      'limits.stream_window = "1MiB"',
      'link.frame = "1MiB"',
      'link.reconnect_min = "5s"',
      "limits.calls_per_app = 32",
      "limits.ring_slots = 64",
    ];
    assert.equal(messageOf(text.join("\n")), "");
  });

  it("is looked at while other things are wrong, but not for a wrong value", () => {
    const other = messageOf("[limits]\nbogus = 1\ncalls_per_app = 4096");
    assert.match(other, /bogus[\s\S]*ring_slots/);
    assert.doesNotMatch(messageOf("[limits]\ncalls_per_app = 4095"), /ring_slots/);
    assert.doesNotMatch(messageOf("limits = 3"), /at least/);
  });

  it("refuses a peer given twice", () => {
    const message = messageOf('[[peer]]\naddress = "a:1"\n[[peer]]\naddress = "A:1"');
    assert.match(message, /^k\.toml:4:11: two peers have the address "a:1"/);
    assert.match(message, /^ {2}k\.toml:2:11: the first is here/m);
  });

  it("refuses more peers than links", () => {
    const peers = [1, 2, 3].map((port) => `[[peer]]\naddress = "a:${port}"`).join("\n");
    assert.equal(messageOf(`[limits]\nlinks = 3\n${peers}`), "");
    const message = messageOf(`[limits]\nlinks = 2\n${peers}`);
    assert.match(message, /^k\.toml:7:1: there are 3 peers, but links in \[limits\] allows 2\./);
    assert.match(message, /^ {2}k\.toml:2:9: links/m);
  });
});
