/** TLS at the gateway, and what policies and handlers see of who calls. */
import assert from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it, type TestContext } from "node:test";
import { create, toBinary } from "@bufbuild/protobuf";
import { createClient } from "@connectrpc/connect";
import { createConnectTransport } from "@connectrpc/connect-node";
import * as grpc from "@grpc/grpc-js";
import { egressDefaults, gatewayDefaults, ingressDefaults, startGateway } from "@koala/gateway";
import { serviceSchemaOf } from "@koala/schema";
import type { Ending } from "@koala/testing";
import { NoteSchema, Probe } from "../gen/test/v1/probe_pb.ts";
import { atEnd, createFolder, type Daemon, startDaemon } from "../stage/cluster.ts";
import { GrpcClient } from "../stage/grpc-client.ts";
import { connectTo } from "../stage/kitchen.ts";

const hasOpenssl = spawnSync("openssl", ["version"]).status === 0;
const skip = hasOpenssl ? false : "there is no openssl to make certificates with";
const { echo } = Probe.method;

interface Certificates {
  readonly folder: string;
  path(name: string): string;
  bytes(name: string): Buffer;
}

/** `ca`, `server` for 127.0.0.1 and `client` for "till", each with `.pem` and `.key`. */
function makeCertificates(test: Ending): Certificates {
  const folder = createFolder(test);
  const path = (name: string): string => join(folder, name);
  const run = (...args: string[]): void => {
    execFileSync("openssl", args, { cwd: folder, stdio: "pipe" });
  };
  const key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"];
  run(
    ...["req", "-x509", ...key, "-days", "2", "-subj", "/CN=test authority"],
    ...["-keyout", "ca.key", "-out", "ca.pem"],
  );
  const sign = (name: string, subject: string, extension: string): void => {
    run("req", ...key, "-subj", subject, "-keyout", `${name}.key`, "-out", `${name}.csr`);
    writeFileSync(path(`${name}.ext`), `${extension}\n`);
    run(
      ...["x509", "-req", "-in", `${name}.csr`, "-CA", "ca.pem", "-CAkey", "ca.key", "-days", "2"],
      ...["-CAcreateserial", "-extfile", `${name}.ext`, "-out", `${name}.pem`],
    );
  };
  sign("server", "/CN=server", "subjectAltName=IP:127.0.0.1");
  sign("client", "/CN=till", "keyUsage=digitalSignature");
  return { folder, path, bytes: (name) => readFileSync(path(name)) };
}

/** Serves the probe: its answer is the metadata that handlers see, as text. */
async function serveSeen(test: TestContext, daemon: Daemon, name = "probe"): Promise<void> {
  const mesh = await connectTo(test, daemon);
  await mesh.serve({ name }, (router) =>
    router.service(Probe, {
      echo: (_note, { metadata }) => ({
        text: JSON.stringify(metadata.filter(([key]) => key.startsWith("koala-"))),
      }),
    }),
  );
}

type Settings = Parameters<typeof startGateway>[0];

async function openGateway(
  test: TestContext,
  daemon: Daemon,
  doors: Partial<Pick<Settings, "ingresses" | "egresses">>,
): Promise<string[]> {
  const { prefix } = daemon;
  const settings = { ...gatewayDefaults, prefix, ingresses: [], egresses: [], ...doors };
  const gateway = await startGateway({ ...settings, drainMs: 100 });
  atEnd(test, () => gateway.close());
  return gateway.ingresses.map(({ address }) => address);
}

const anyPort = { ...ingressDefaults, name: "edge", host: "127.0.0.1", port: 0 };

function secureClient(test: TestContext, address: string, c: grpc.ChannelCredentials): GrpcClient {
  return new GrpcClient(test, address, {}, c);
}

describe("a gateway with TLS", { timeout: 120_000, skip }, () => {
  it("takes gRPC and Connect, by HTTP/2 and HTTP/1.1", async (t) => {
    const files = makeCertificates(t);
    const daemon = await startDaemon(t);
    await serveSeen(t, daemon);
    const tls = { cert: files.path("server.pem"), key: files.path("server.key"), clientCa: "" };
    const [address] = await openGateway(t, daemon, { ingresses: [{ ...anyPort, tls }] });
    const ca = files.bytes("ca.pem");
    const theirs = secureClient(t, address!, grpc.credentials.createSsl(ca));
    const { code, reply } = await theirs.unary(echo, {});
    assert.equal(code, grpc.status.OK);
    assert.match(reply?.text ?? "", /^\[\["koala-peer","127\.0\.0\.1:\d+"\]\]$/);
    for (const httpVersion of ["1.1", "2"] as const) {
      const transport = createConnectTransport({
        ...{ baseUrl: `https://${address}`, httpVersion, nodeOptions: { ca } },
      });
      assert.match((await createClient(Probe, transport).echo({})).text, /koala-peer/);
    }
    const stranger = secureClient(t, address!, grpc.credentials.createSsl());
    assert.equal((await stranger.unary(echo, {})).code, grpc.status.UNAVAILABLE);
    const plain = new GrpcClient(t, address!);
    assert.equal((await plain.unary(echo, {})).code, grpc.status.UNAVAILABLE);
  });

  it("asks clients for certificates, and says whose they are; nobody else can say it", async (t) => {
    const files = makeCertificates(t);
    const daemon = await startDaemon(t);
    await serveSeen(t, daemon);
    const tls = {
      cert: files.path("server.pem"),
      key: files.path("server.key"),
      clientCa: files.path("ca.pem"),
    };
    const [address] = await openGateway(t, daemon, { ingresses: [{ ...anyPort, tls }] });
    const ca = files.bytes("ca.pem");
    const known = grpc.credentials.createSsl(
      ca,
      files.bytes("client.key"),
      files.bytes("client.pem"),
    );
    const metadata = new grpc.Metadata();
    metadata.set("koala-peer", "192.0.2.1:1");
    metadata.set("koala-peer-name", "somebody");
    const { reply } = await secureClient(t, address!, known).unary(echo, {}, metadata);
    const seen = JSON.parse(reply?.text ?? "[]") as [string, string][];
    assert.deepEqual(
      seen.map(([key]) => key),
      ["koala-peer", "koala-peer-name"],
    );
    assert.match(seen[0]![1], /^127\.0\.0\.1:/);
    assert.equal(seen[1]![1], "till");
    const unknown = secureClient(t, address!, grpc.credentials.createSsl(ca));
    assert.equal((await unknown.unary(echo, {})).code, grpc.status.UNAVAILABLE);
  });

  it("says at start which file is wrong", async (t) => {
    const files = makeCertificates(t);
    const [cert, key] = [files.path("server.pem"), files.path("server.key")];
    for (const [tls, pattern] of [
      [{ cert, key: "", clientCa: "" }, /ingress edge: tls_cert without tls_key/],
      [{ cert: files.path("none.pem"), key, clientCa: "" }, /tls_cert = .*none\.pem can't be read/],
      [{ cert: key, key, clientCa: "" }, /tls_cert = .*: expected a certificate in PEM/],
      [{ cert, key: cert, clientCa: "" }, /tls_key = .*: expected a private key/],
      [{ cert, key: files.path("client.key"), clientCa: "" }, /is none of the certificate/],
      [{ cert: "", key: "", clientCa: files.path("ca.pem") }, /tls_client_ca without tls_cert/],
    ] as const) {
      const ingresses = [{ ...anyPort, tls }];
      const settings = { ...gatewayDefaults, prefix: files.folder, ingresses, egresses: [] };
      await assert.rejects(startGateway(settings), { code: "ERR_GATEWAY_TLS", message: pattern });
    }
  });

  it("calls servers that have it, and proves who it is", async (t) => {
    const files = makeCertificates(t);
    const daemon = await startDaemon(t);
    const server = new grpc.Server();
    server.addService(
      {
        echo: {
          ...{ path: "/test.v1.Probe/Echo", requestStream: false, responseStream: false },
          requestSerialize: (bytes: Buffer) => bytes,
          requestDeserialize: (bytes: Buffer) => bytes,
          responseSerialize: (bytes: Buffer) => bytes,
          responseDeserialize: (bytes: Buffer) => bytes,
        },
      },
      {
        echo: (_call: unknown, reply: grpc.sendUnaryData<Buffer>) =>
          reply(null, Buffer.from(toBinary(NoteSchema, create(NoteSchema, { text: "secret" })))),
      },
    );
    const pair = { private_key: files.bytes("server.key"), cert_chain: files.bytes("server.pem") };
    const credentials = grpc.ServerCredentials.createSsl(files.bytes("ca.pem"), [pair], true);
    const port = await new Promise<number>((resolve, reject) => {
      server.bindAsync("127.0.0.1:0", credentials, (error, bound) =>
        error === null ? resolve(bound) : reject(error),
      );
    });
    atEnd(t, () => server.forceShutdown());
    const descriptors = join(files.folder, "probe.binpb");
    writeFileSync(descriptors, serviceSchemaOf(Probe).descriptorSet);
    const base = { ...egressDefaults, host: "127.0.0.1", port, descriptors };
    const ca = files.path("ca.pem");
    const pem = { cert: files.path("client.pem"), key: files.path("client.key") };
    await openGateway(t, daemon, {
      egresses: [
        { ...base, name: "known", tls: { enabled: true, ca, ...pem } },
        { ...base, name: "untrusting", tls: { enabled: true, ca: "", ...pem } },
        { ...base, name: "plain" },
      ],
    });
    const mesh = await connectTo(t, daemon);
    const reply = await mesh.client(Probe, "known").echo({}, { waitForReady: true });
    assert.equal(reply.text, "secret");
    for (const name of ["untrusting", "plain"]) {
      const call = mesh.client(Probe, name).echo({}, { waitForReady: true, timeoutMs: 20_000 });
      await assert.rejects(call, { statusName: "UNAVAILABLE" });
    }
  });
});

describe("who calls through an ingress", { timeout: 60_000 }, () => {
  it("is seen by policies: as an app of its own, and by its address", async (t) => {
    const config = `
      [[policy]]
      name = "edge"
      use = "acl"
      match = { caller = "front" }
      config = { default = "deny" }
    `;
    const daemon = await startDaemon(t, { config });
    await serveSeen(t, daemon);
    const addresses = await openGateway(t, daemon, {
      ingresses: [
        { ...anyPort, name: "a", app: "front" },
        { ...anyPort, name: "b" },
      ],
    });
    const [front, other] = addresses.map((address) => new GrpcClient(t, address));
    const denied = await front!.unary(echo, {});
    assert.equal(denied.code, grpc.status.PERMISSION_DENIED);
    assert.deepEqual(denied.trailer.get("koala-policy"), ["edge"]);
    const metadata = new grpc.Metadata();
    metadata.set("koala-peer", "192.0.2.1:1");
    const { reply } = await other!.unary(echo, {}, metadata);
    assert.match(reply?.text ?? "", /^\[\["koala-peer","127\.0\.0\.1:\d+"\]\]$/);
  });
});
