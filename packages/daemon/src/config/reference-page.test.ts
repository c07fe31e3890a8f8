import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { describe, it } from "node:test";
import { parse } from "smol-toml";
import { levelNames, logAreas } from "../log/level.ts";
import { parseConfig } from "./load.ts";
import { factsOf, keyNames, repeatedSections } from "./schema.ts";

const page = readFileSync(new URL("../../../../docs/reference/config.md", import.meta.url), "utf8");

/** Rows of the page's key tables: `section.key | default | range`. */
function rowsOfPage(): string[] {
  const rows: string[] = [];
  let section = "";
  for (const line of page.split("\n")) {
    if (line.startsWith("## ")) section = /^## `\[+(\w+)\]+`$/.exec(line)?.[1] ?? "";
    const cells = line
      .split(" | ")
      .map((cell) => cell.replace(/^\|/, "").replace(/\|$/, "").trim());
    const key = /^`(\w+)`$/.exec(cells[0] ?? "")?.[1];
    if (section !== "" && key !== undefined) {
      assert.equal(cells.length, 4, `a row of four cells: ${line}`);
      rows.push([`${section}.${key}`, cells[1]?.replaceAll("`", ""), cells[2]].join(" | "));
    }
  }
  return rows;
}

function rowsOfSchema(): string[] {
  return keyNames().flatMap((section) =>
    keyNames(section).map((key) => {
      const facts = factsOf(section, key);
      assert.ok(facts, `${section}.${key} has no facts`);
      return [`${section}.${key}`, facts.default.replaceAll("`", ""), facts.range].join(" | ");
    }),
  );
}

describe("docs/reference/config.md", () => {
  it("has every key with its default and range, and no other", () => {
    assert.deepEqual(rowsOfPage(), rowsOfSchema());
  });

  it("shows a whole file that has every key and means the defaults", () => {
    const blocks = page.matchAll(/```toml\n([\s\S]*?)```/g);
    const [[, text = ""] = []] = [...blocks];
    const host = { prefix: "/run/koala", name: "box", directory: "/" };
    assert.deepEqual(parseConfig(text, "koala.toml", host), parseConfig("", "koala.toml", host));

    const given = parse(text) as Record<string, Record<string, unknown>>;
    for (const section of keyNames()) {
      if (repeatedSections.includes(section)) continue;
      const keys = keyNames(section).filter((key) => !["prefix", "name"].includes(key));
      assert.deepEqual(Object.keys(given[section] ?? {}), keys);
    }
  });

  it("names all levels and areas of the log", () => {
    const [, logs = ""] = /## Logs\n([\s\S]*?)\n## /.exec(page) ?? [];
    for (const word of [...levelNames, ...logAreas]) assert.ok(logs.includes(`\`${word}\``), word);
  });
});
