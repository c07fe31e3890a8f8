// The page about the client library names everything that the library exports.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { it } from "node:test";

const root = new URL("../../../", import.meta.url);

function read(path: string): string {
  return readFileSync(new URL(path, root), "utf8");
}

/** Names that a module of the client exports, types too. */
function exportsOf(module: string): string[] {
  const source = read(`packages/client/src/${module}.ts`);
  const lists = [...source.matchAll(/^export (?:type )?\{([^}]*)\}/gm)].flatMap(([, list]) =>
    list!.split(",").map((name) => name.replace(/^\s*type /, "").trim()),
  );
  const declared = source.matchAll(/^export (?:async )?(?:function|interface|type|const) (\w+)/gm);
  return [...lists, ...[...declared].map(([, name]) => name!)].filter((name) => name !== "");
}

for (const module of ["index", "raw"]) {
  it(`client-api.md names what ${module}.ts exports`, () => {
    const words = new Set(read("docs/reference/client-api.md").match(/\w+/g));
    const names = exportsOf(module);
    assert.ok(names.length > 5);
    assert.deepEqual(
      names.filter((name) => !words.has(name)),
      [],
    );
  });
}
