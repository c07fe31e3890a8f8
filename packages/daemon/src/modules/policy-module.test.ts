import assert from "node:assert/strict";
import { mkdirSync, realpathSync, symlinkSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { describe, it, type TestContext } from "node:test";
import { Worker } from "node:worker_threads";
import { KoalaError } from "@koala/interface";
import { createTempDirectory } from "@koala/testing";
import { loadPolicyModule, type PolicyModule } from "./policy-module.ts";

interface Place {
  readonly folder: string;
  write(name: string, text: string): string;
  load(use: string): Promise<PolicyModule>;
}

function createPlace(test: TestContext): Place {
  const base = realpathSync(createTempDirectory(test));
  const folder = join(base, "policies");
  mkdirSync(folder);
  return {
    folder,
    write: (name, text) => {
      const path = join(base, name);
      mkdirSync(dirname(path), { recursive: true });
      writeFileSync(path, text);
      return path;
    },
    load: (use) => loadPolicyModule(use, { directories: [folder], base }, join(base, "cache")),
  };
}

const policyText = (version: string, more = ""): string =>
  `import { definePolicy, z } from "@koala/policy";
export default definePolicy({ name: "mine", version: "${version}", config: z.strictObject({}), ${more} });
`;

/** That loading ends with this code, and a message in which all of these occur. */
async function rejects(loading: Promise<unknown>, code: string, ...parts: string[]): Promise<void> {
  await assert.rejects(loading, (error: unknown) => {
    assert.ok(error instanceof KoalaError, String(error));
    assert.equal(error.code, code, error.message);
    for (const part of parts)
      assert.ok(error.message.includes(part), `${part} in: ${error.message}`);
    return true;
  });
}

describe("loadPolicyModule", () => {
  it("loads TypeScript with relative imports, which share the daemon's @koala/policy", async (test) => {
    const place = createPlace(test);
    place.write("policies/deep/number.ts", "export const seven: number = 7 as number;\n");
    place.write(
      "policies/mine.ts",
      `import { definePolicy, type PolicyCall, z } from "@koala/policy";
import { seven } from "./deep/number.js";
interface Config { readonly n: number }
export default definePolicy<Config, { n: number }>({
  name: "mine", version: "1.2.3", config: z.strictObject({ n: z.number().default(seven) }),
  onRequest(call: PolicyCall) { throw new Error(call.requestId satisfies string); },
});
`,
    );
    const { definition } = await place.load("./policies/mine.ts");
    assert.equal(definition.version, "1.2.3");
    assert.deepEqual(definition.config.parse({}), { n: 7 });
    assert.throws(
      () => definition.onRequest?.({ requestId: "r1" } as never, {} as never),
      (error: Error) => error.stack!.includes(`${place.folder}/mine.ts:6:39`),
    );
  });

  it("refuses a policy that needs what is not there, with the place of the need", async (test) => {
    const place = createPlace(test);
    const needing = (needs: string): Promise<unknown> => {
      const path = place.write("policies/mine.ts", policyText("1.0.0", `\n  needs: ${needs},\n`));
      return place.load(path);
    };
    const at = (column: number): string => `${place.folder}/mine.ts:3:${column}: `;
    const code = "ERR_MODULE_NEEDS";
    await rejects(
      needing('{ policy: "2.0" }'),
      code,
      at(20),
      "for policy 2.0",
      "Upgrade the daemon",
    );
    await rejects(needing('{ policy: "0.9" }'), code, at(20), "newer version of the policy");
    await rejects(needing('{ node: "99.1" }'), code, at(18), "Node 99.1 or newer");
    await rejects(
      needing('{ features: ["routes", "teleport"] }'),
      code,
      at(33),
      '"mine" needs "teleport"',
      "shared-memory",
    );
    await needing('{ policy: "1.0", node: "20.1", features: ["routes"], after: ["acl"] }');
  });

  it("refuses a manifest that nobody can understand, and handlers that nobody would call", async (test) => {
    const place = createPlace(test);
    const having = (members: string): Promise<unknown> =>
      place.load(place.write("policies/mine.ts", policyText("1.0.0", `\n  ${members},\n`)));
    const code = "ERR_MODULE_EXPORT";
    await rejects(having('needs: { featurs: ["routes"] }'), code, '"featurs"', "features");
    await rejects(having('needs: ["routes"]'), code, "needs must be an object");
    await rejects(having('needs: { node: ">=20" }'), code, "needs.node");
    await rejects(having("needs: { policy: 1 }"), code, "needs.policy");
    await rejects(having('provides: ["fly"]'), code, '"fly"', "mirror");
    const place3 = `${place.folder}/mine.ts:3:3: `;
    await rejects(having("onRequst() {}"), "ERR_MODULE_NEEDS", place3, "onRequest, onResponse");
  });

  it("finds a file and an installed package of the directories by name", async (test) => {
    const place = createPlace(test);
    place.write("policies/mine.mjs", policyText("1.0.0"));
    place.write("policies/node_modules/@you/p/lib/entry.js", policyText("2.0.0"));
    place.write(
      "policies/node_modules/@you/p/package.json",
      '{"type":"module","exports":{".":{"import":"./lib/entry.js"}}}',
    );
    assert.equal((await place.load("mine")).definition.version, "1.0.0");
    assert.equal((await place.load("@you/p")).definition.version, "2.0.0");
    assert.equal((await place.load("./policies/node_modules/@you/p")).definition.version, "2.0.0");
  });

  it("loads changed code beside the old, also when only an imported file has changed", async (test) => {
    const place = createPlace(test);
    place.write("policies/text.ts", 'export const text: string = "1.0.0";\n');
    place.write(
      "policies/mine.ts",
      policyText("0.0.0")
        .replace('"0.0.0"', "text")
        .replace("\n", '\nimport { text } from "./text.ts";\n'),
    );
    const first = await place.load("mine");
    assert.equal((await place.load("mine")).definition, first.definition);
    place.write("policies/text.ts", 'export const text: string = "1.0.1";\n');
    const second = await place.load("mine");
    assert.equal(first.definition.version, "1.0.0");
    assert.equal(second.definition.version, "1.0.1");
    assert.notEqual(second.compiled.hash, first.compiled.hash);
  });

  it("is loaded by another thread without its event loop", async (test) => {
    const place = createPlace(test);
    place.write("policies/mine.ts", policyText("3.1.4"));
    const { compiled } = await place.load("mine");
    const loader = new URL("./require-module.js", import.meta.url).href;
    const worker = new Worker(
      `const { workerData, parentPort } = require("node:worker_threads");
       import(workerData.loader).then(({ requireModule }) => {
         parentPort.postMessage(requireModule(workerData.path).version);
       });`,
      { eval: true, workerData: { loader, path: compiled.path } },
    );
    const [version] = await new Promise<unknown[]>((resolve, reject) => {
      worker.once("message", (message) => resolve([message]));
      worker.once("error", reject);
    });
    await worker.terminate();
    assert.equal(version, "3.1.4");
  });

  it("refuses code outside of the directories, also behind links and imports", async (test) => {
    const place = createPlace(test);
    const outside = place.write("outside/mine.ts", policyText("1.0.0"));
    symlinkSync(outside, join(place.folder, "linked.ts"));
    place.write("policies/imports.ts", 'import x from "../outside/mine.ts";\nexport default x;\n');
    await rejects(place.load(outside), "ERR_MODULE_DIRECTORY", outside, "[modules] of koala.toml");
    await rejects(place.load("linked"), "ERR_MODULE_DIRECTORY", outside, "linked.ts");
    await rejects(place.load("imports"), "ERR_MODULE_IMPORT", "imports.ts:1:16", outside);
    await rejects(place.load("../../etc/hostname.ts"), "ERR_MODULE_MISSING");
  });

  it("says where a syntax error is, in TypeScript and in JavaScript", async (test) => {
    const place = createPlace(test);
    place.write("policies/types.ts", "const a: number = 1;\nconst b: string = = 2;\n");
    place.write("policies/plain.js", "const a = 1;\n  const b = = 2;\n");
    place.write("policies/twice.js", "const a = 1;\nconst a = 2;\nexport default a;\n");
    place.write("policies/enum.ts", "export enum A { B }\n");
    await rejects(place.load("types"), "ERR_MODULE_SYNTAX", `${place.folder}/types.ts:2:19: `);
    await rejects(place.load("plain"), "ERR_MODULE_SYNTAX", `${place.folder}/plain.js:2:13: `);
    await rejects(place.load("twice"), "ERR_MODULE_SYNTAX", `${place.folder}/twice.js:2:7: `);
    await rejects(place.load("enum"), "ERR_MODULE_SYNTAX", `${place.folder}/enum.ts:1:8: `, "enum");
  });

  it("says where code threw, imported what is not there, or waits", async (test) => {
    const place = createPlace(test);
    place.write(
      "policies/low.ts",
      "export const here: number = 1;\n\nthrow new TypeError('no way');\n",
    );
    place.write("policies/throws.ts", 'import "./low.ts";\nexport default 1;\n');
    place.write("policies/name.ts", 'import { there } from "./ok.ts";\nexport default there;\n');
    place.write("policies/ok.ts", "export const here = 1;\n");
    place.write("policies/file.ts", '\nimport "./nowhere.ts";\n');
    place.write("policies/package.ts", 'export * from "left-pad";\n');
    place.write("policies/waits.ts", "await Promise.resolve(1);\nexport default 1;\n");
    await rejects(place.load("throws"), "ERR_MODULE_LOAD", "low.ts:3:7: ", "TypeError: no way");
    await rejects(place.load("name"), "ERR_MODULE_SYNTAX", "name.ts:1:10: ", "there");
    await rejects(place.load("file"), "ERR_MODULE_IMPORT", "file.ts:2:9: ", "nowhere.ts");
    await rejects(place.load("package"), "ERR_MODULE_IMPORT", "package.ts:1:16: ", "left-pad");
    await rejects(place.load("waits"), "ERR_MODULE_LOAD", "awaits at its top level");
  });

  it("refuses what is no policy, and names that are near to one that ships", async (test) => {
    const place = createPlace(test);
    place.write("policies/none.ts", "export default 5;\n");
    place.write("policies/version.ts", policyText("one"));
    place.write("policies/handler.ts", policyText("1.0.0", "onRequest: 5 as never"));
    await rejects(place.load("none"), "ERR_MODULE_EXPORT", "none.ts", "definePolicy");
    await rejects(place.load("version"), "ERR_MODULE_EXPORT", '"one"');
    await rejects(place.load("handler"), "ERR_MODULE_EXPORT", "onRequest must be a function");
    await rejects(place.load("acll"), "ERR_MODULE_MISSING", 'Did you mean "acl"?', place.folder);
    await rejects(place.load("No Name"), "ERR_MODULE_NAME");
  });
});
