/** Every rule refuses a tree that breaks it, and leaves one alone that does not. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { smallTree } from "./small-tree.mjs";
import { findProblems } from "./tidy.mjs";

/**
 * @param {import("node:test").TestContext} context
 * @param {Record<string, string | Uint8Array>} files
 */
function problemsOf(context, files) {
  return findProblems(smallTree(context, files)).map(
    ({ path, line, message }) => `${path}:${line ?? ""} ${message}`,
  );
}

/** @type {[name: string, path: string, content: string, expected: RegExp][]} */
const refused = [
  ["FIXME", "src/ring.ts", "\n// FIXME later\n", /^src\/ring\.ts:2 FIXME/],
  ["TODO without an issue", "src/ring.ts", "// TODO: later\n", /:1 TODO needs the number/],
  ["test.only", "src/ring.test.ts", 'test.only("x", f);\n', /:1 \.only/],
  ["as any", "src/ring.ts", "const x = y as any;\n", /:1 "as any"/],
  ["ts-ignore", "src/ring.ts", "// @ts-ignore\n", /:1 use @ts-expect-error/],
  ["debugger", "src/ring.ts", "  debugger;\n", /:1 a left-over/],
  ["console in a package", "packages/shm/src/ring.ts", "console.log(1);\n", /:1 write to a log/],
  ["a vague file name", "src/utils.ts", "\n", /the name says nothing/],
  ["a vague file name of two", "src/shared/types.ts", "\n", /the name says nothing/],
  ["a folder called test", "packages/shm/test/ring.ts", "x;\n", /put x\.test\.ts beside/],
  ["a home folder", "docs/start.md", "# S\ncd /home/somebody/koala\n", /:2 a path of one machine/],
  ["a path in a string", "src/a.ts", 'open("/root/x");\n', /:1 a path of one machine/],
  ["a registry setting", ".npmrc", "registry=https://npm.example.org\n", /settings of the person/],
  ["a registry host", "a.sh", "curl https://registry.example.org/x\n", /a registry's host/],
  [
    "a private host in a lock file",
    "package-lock.json",
    '"resolved": "https://npm.example.org/x.tgz"\n',
    /a registry's host/,
  ],
  ["a long file", "src/ring.ts", "x;\n".repeat(601), /601 lines, 600 at most/],
  ["a blank at the end of a line", "a.proto", "a;\nb; \n", /:2 blanks at the end/],
  ["a carriage return", "a.proto", "a;\r\n", /:1 blanks at the end/],
  ["no line feed at the end", "a.proto", "a;", /one line feed/],
  ["an empty line at the end", "a.proto", "a;\n\n", /one line feed/],
  ["an addon", "packages/native/koala.node", "x\n", /built or installed/],
  ["compiler records", "packages/native/tsconfig.tsbuildinfo", "{}\n", /built or installed/],
  ["a binary file", "data/cities.bin", "a\0b", /binary file that is not a picture/],
  ["a dead link", "docs/a.md", "# A\n\n[b](./b.md)\n", /^docs\/a\.md:3 dead link: \.\/b\.md/],
  ["a dead picture", "docs/a.md", "# A\n![b](b.png)\n", /:2 dead link: b\.png/],
  ["a dead reference", "docs/a.md", "# A\n[b]: b.md\n", /:2 dead link: b\.md/],
  ["a document without a title", "docs/a.md", "## A\n", /no title/],
  ["a document with two titles", "docs/a.md", "# A\n# B\n", /:2 a second title/],
];

for (const [name, path, content, expected] of refused) {
  test(`tidy refuses ${name}`, (context) => {
    const problems = problemsOf(context, { [path]: content });
    assert.equal(problems.length, 1, problems.join("\n"));
    assert.match(problems[0] ?? "", expected);
  });
}

/** @type {[name: string, path: string, content: string | Uint8Array][]} */
const accepted = [
  ["TODO with an issue", "src/ring.ts", "// TODO(#12): later\n"],
  ["console in a program", "packages/native/src/build.ts", "console.log(1);\n"],
  ["console in a fuzzer", "packages/shm/src/ring.fuzz.ts", "console.log(1);\n"],
  ["a proto package called test", "packages/schema/proto/test/v1/a.proto", "a;\n"],
  ["code generated from it", "packages/schema/src/gen/test/v1/a_pb.ts", "a;\n"],
  ["an address with a home", "docs/a.md", "# A\nhttps://example.org/home/x\n"],
  ["a route that is no place", "src/a.ts", 'get("/work");\n'],
  ["banned words in generated code", "src/gen/a.ts", "const x = y as any; \n// FIXME\n"],
  ["a picture", "docs/a.png", new Uint8Array([0x89, 0x50, 0, 1])],
  ["titles and links in code", "docs/a.md", "# A\n\n```sh\n# B\n[x](y.md)\n```\n`[x](y.md)`\n"],
  ["links to the page and to the net", "docs/a.md", "# A\n[x](#a) [y](https://example.org)\n"],
  ["a link with an anchor", "docs/a.md", "# A\n[x](a.md#a)\n"],
];

for (const [name, path, content] of accepted) {
  test(`tidy accepts ${name}`, (context) => {
    assert.deepEqual(problemsOf(context, { [path]: content }), []);
  });
}

test("tidy shows only problems under the paths it is given", (context) => {
  const root = smallTree(context, { "a/x.ts": "// FIXME\n", "ab/x.ts": "// FIXME\n" });
  assert.deepEqual(
    findProblems(root, ["a"]).map(({ path }) => path),
    ["a/x.ts"],
  );
  assert.equal(findProblems(root, ["."]).length, 2);
});
