// The example of the README is a package; what the README shows is what the package has, and it runs.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { describe, it } from "node:test";
import { fileURLToPath } from "node:url";
import { type Ending, spawnNode } from "@koala/testing";
import { atEnd, type Daemon, startCluster, startDaemon, untilKnown } from "../stage/cluster.ts";

const root = new URL("../../../", import.meta.url);

function read(path: string): string {
  return readFileSync(new URL(path, root), "utf8");
}

/** Code blocks of a page that follow a line which begins with the name of a file, by that name. */
function blocksOf(page: string): Map<string, string> {
  const blocks = page.matchAll(/^`([\w./-]+)`[^\n]*:\n\n```\w+\n([\s\S]*?)^```$/gm);
  return new Map([...blocks].map(([, file, text]) => [file!, text!]));
}

function startExample(test: Ending, daemon: Daemon, program: "server" | "client") {
  const path = fileURLToPath(import.meta.resolve(`@koala/example-hello/dist/${program}.js`));
  const child = spawnNode(path, [], { env: { KOALA_PREFIX: daemon.prefix } });
  atEnd(test, () => child.stop());
  return child;
}

/** What the client prints, and how it ends. */
async function callFrom(test: Ending, daemon: Daemon): Promise<string> {
  const client = startExample(test, daemon, "client");
  const { code, signal } = await client.exit();
  assert.deepEqual({ code, signal }, { code: 0, signal: null }, client.output());
  return client.output();
}

describe("the README", () => {
  it("shows the files of examples/hello", () => {
    const blocks = blocksOf(read("README.md"));
    assert.deepEqual(
      [...blocks.keys()],
      ["proto/hello/v1/hello.proto", "src/server.ts", "src/client.ts"],
    );
    for (const [file, text] of blocks) assert.equal(text, read(`examples/hello/${file}`), file);
  });

  it("has at most 180 lines", () => {
    assert.ok(read("README.md").split("\n").length <= 181);
  });
});

describe("the example of the README", () => {
  it("makes its call on one host", async (test) => {
    const daemon = await startDaemon(test);
    const server = startExample(test, daemon, "server");
    await server.line(/^serving greeter$/);
    assert.equal(await callFrom(test, daemon), "Hello, Koala\n");
    assert.deepEqual(await server.stop(), { code: 0, signal: null }, server.output());
  });

  it("makes its call from another host", async (test) => {
    const { a, b } = await startCluster(test);
    const server = startExample(test, b, "server");
    await server.line(/^serving greeter$/);
    await untilKnown(a, "greeter");
    assert.equal(await callFrom(test, a), "Hello, Koala\n");
  });
});
