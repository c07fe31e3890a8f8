import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { fits, isSelected, type Selected, type Selector } from "./selector.ts";

describe("fits", () => {
  it("stars stand for anything, also for nothing", () => {
    const yes = [
      ["*", ""],
      ["*", "web"],
      ["web", "web"],
      ["web*", "web"],
      ["web*", "web-1"],
      ["*web", "my-web"],
      ["a*b*c", "abc"],
      ["a*b*c", "a-b-b-c"],
      ["a*a", "aa"],
    ] as const;
    for (const [pattern, text] of yes) assert.ok(fits(pattern, text), `${pattern} ${text}`);
    const no = [
      ["web", "web-1"],
      ["", "web"],
      ["web*", "we"],
      ["a*a", "a"],
      ["a*b*c", "acb"],
      ["*ab*ab", "ab"],
      [".", "a"],
    ] as const;
    for (const [pattern, text] of no) assert.ok(!fits(pattern, text), `${pattern} ${text}`);
  });

  it("takes linear time for patterns that trouble regular expressions", () => {
    assert.ok(!fits(`${"*a".repeat(50)}b`, "a".repeat(100_000)));
  });
});

describe("isSelected", () => {
  const facts: Selected = {
    service: "geo.v1.Geo",
    method: "Nearest",
    target: "geo",
    caller: { app: "web", host: "", uid: 1000, pid: 5, labels: { team: "maps", tier: "1" } },
    side: "client",
  };

  it("everything that is given must fit", () => {
    const yes: Selector[] = [
      {},
      { service: ["geo.v1.*"] },
      { service: ["other", "geo.v1.Geo"], method: ["Near*"], target: ["geo"] },
      { caller: ["we*"] },
      { caller: ["web@"] },
      { labels: { team: "maps", tier: "*" } },
      { side: "client" },
    ];
    for (const selector of yes) assert.ok(isSelected(selector, facts), JSON.stringify(selector));
    const no: Selector[] = [
      { service: [] },
      { service: ["geo.v1.Geo"], method: ["Lookup"] },
      { target: ["geo-next"] },
      { caller: ["web@other-host"] },
      { labels: { team: "maps", zone: "*" } },
      { labels: { constructor: "*" } },
      { side: "server" },
    ];
    for (const selector of no) assert.ok(!isSelected(selector, facts), JSON.stringify(selector));
  });

  it("callers of other hosts are named with their host", () => {
    const remote = { ...facts, caller: { ...facts.caller, host: "b" } };
    assert.ok(isSelected({ caller: ["*@b"] }, remote));
    assert.ok(isSelected({ caller: ["web"] }, remote));
    assert.ok(!isSelected({ caller: ["*@"] }, remote));
  });
});
