/** `buf curl`, which has the implementation of connect-go in it, calls services of the mesh in every protocol it knows. */
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { describe, it } from "node:test";
import { Status } from "@koala/mrpc";
import { FailureSchema, Probe } from "../gen/test/v1/probe_pb.ts";
import { createFolder } from "../stage/cluster.ts";
import { startEdge } from "./peer-cases.ts";
import { buf, noBuf, schemaFolder } from "./peer-tools.ts";

interface Curled {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

const protocols = ["grpc", "grpcweb", "connect"].flatMap((protocol) => [
  { name: `${protocol}, HTTP/2, reflection`, args: ["--protocol", protocol] },
  {
    name: `${protocol}, HTTP/${protocol === "grpc" ? 2 : "1.1"}, schema`,
    args: ["--protocol", protocol, "--schema", schemaFolder],
  },
]);

describe("buf curl", { timeout: 170_000, skip: noBuf }, () => {
  it("finds what is there by reflection, v1 and v1alpha", async (t) => {
    const curl = curlAt(await startEdge(t), createFolder(t));
    for (const version of ["grpc-v1", "grpc-v1alpha"]) {
      const { code, stdout, stderr } = await curl("", [
        ...["--list-methods", "--reflect-protocol", version],
      ]);
      assert.equal(code, 0, stderr);
      const methods = stdout.trim().split("\n");
      for (const { name } of Probe.methods) {
        assert.ok(methods.includes(`${Probe.typeName}/${name}`), stdout);
      }
      assert.ok(methods.includes("grpc.testing.TestService/FullDuplexCall"), stdout);
    }
  });

  it("makes every kind of call, in every protocol", async (t) => {
    const curl = curlAt(await startEdge(t), createFolder(t));
    const call = (method: string, args: readonly string[], data: unknown[], more: string[] = []) =>
      curl(`/${Probe.typeName}/${method}`, [...args, ...more], data);
    for (const { name, args } of protocols) {
      await t.test(name, async () => {
        const note = { text: "ä".repeat(3000), data: "AAH/", number: -7 };
        const echoed = await call("Echo", args, [note], ["-H", "x-own: value", "-v"]);
        assert.deepEqual(valuesOf(echoed), [note]);
        assert.match(echoed.stderr, /x-own: value/i);
        const listed = valuesOf(await call("List", args, [{ notes: 20, bytes: 3 }]));
        assert.deepEqual(
          listed.map(({ number = 0 }) => number),
          Array.from({ length: 20 }, (_, i) => i),
        );
        const said = ["a", "b", "c"].map((text) => ({ text }));
        assert.deepEqual(valuesOf(await call("Collect", args, said)), [{ text: "abc", number: 3 }]);
        assert.deepEqual(valuesOf(await call("Talk", args, said)), said);

        const failure = { status: Status.NOT_FOUND, message: "nö: 100 %" };
        const failed = await call("Fail", args, [failure]);
        assert.equal(failed.code, Status.NOT_FOUND << 3, failed.stderr);
        const error = JSON.parse(failed.stderr.slice(failed.stderr.indexOf("{"))) as Failed;
        assert.deepEqual([error.code, error.message], ["not_found", failure.message]);
        assert.equal(error.details[0]?.type, FailureSchema.typeName);
        assert.equal(error.details[0]?.value, "CAUSCm7DtjogMTAwICU");
      });
    }
  });
});

interface Failed {
  code: string;
  message: string;
  details: { type: string; value: string }[];
}

type Values = { text?: string; number?: number }[];

/** Its answers, each over several lines. */
function valuesOf({ code, stdout, stderr }: Curled): Values {
  assert.equal(code, 0, stderr);
  return JSON.parse(`[${stdout.trim().replaceAll(/\}\s*\{/g, "},{")}]`) as Values;
}

function curlAt(
  address: string,
  cache: string,
): (path: string, args: readonly string[], data?: unknown[]) => Promise<Curled> {
  const env = { ...process.env, BUF_CACHE_DIR: cache };
  return (path, args, data) =>
    new Promise((resolve) => {
      const input = data?.map((value) => JSON.stringify(value)).join("\n");
      const all = ["curl", ...args, ...(input === undefined ? [] : ["-d", "@-"])];
      const child = execFile(
        buf,
        [...all, `http://${address}${path}`],
        { env, timeout: 60_000 },
        (error, stdout, stderr) => {
          const code = error === null ? 0 : Number(error.code ?? -1);
          resolve({ code, stdout, stderr });
        },
      );
      child.stdin!.on("error", () => {});
      child.stdin!.end(input);
    });
}
