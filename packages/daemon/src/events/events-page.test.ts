// docs/reference/events.md has every event that the daemon names in its code.
import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { fileURLToPath } from "node:url";
import { eventTopics } from "@koala/protocol";

const sources = fileURLToPath(new URL("../../src", import.meta.url));
const page = readFileSync(new URL("../../../../docs/reference/events.md", import.meta.url), "utf8");

/** `topic/name` of every event that is published under a name that stands in the code. */
function eventsInCode(): Set<string> {
  const files = readdirSync(sources, { recursive: true, encoding: "utf8" });
  const found = files
    .filter((file) => file.endsWith(".ts") && !file.endsWith(".test.ts"))
    .flatMap((file) => [
      ...readFileSync(join(sources, file), "utf8").matchAll(
        /(?:publish|emit|emitEvent)\(\s*"([a-z]+)",\s*"([\w -]+)"/g,
      ),
    ]);
  return new Set(found.map(([, topic, name]) => `${topic}/${name}`));
}

/** `topic/name` of every row of the page's table. */
function eventsOnPage(): Set<string> {
  const rows = [...page.matchAll(/^\| `([a-z]+)` +\| (.+?) +\|/gm)];
  return new Set(
    rows.flatMap(([, topic, names]) =>
      [...names!.matchAll(/`([\w -]+)`/g)].map(([, name]) => `${topic}/${name}`),
    ),
  );
}

describe("docs/reference/events.md", () => {
  it("has every event that the code names", () => {
    const inCode = eventsInCode();
    assert.ok(inCode.size > 15, `only ${inCode.size} were found in the code`);
    const documented = eventsOnPage();
    assert.deepEqual(
      [...inCode].filter((event) => !documented.has(event)),
      [],
    );
  });

  it("has every topic, and no other", () => {
    const topics = new Set([...eventsOnPage()].map((event) => event.split("/")[0]!));
    assert.deepEqual([...topics].sort(), [...eventTopics].sort());
  });
});
