/** What the gateway answers itself: health and reflection. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import {
  create,
  createFileRegistry,
  fromBinary,
  type MessageShape,
  toBinary,
} from "@bufbuild/protobuf";
import {
  type FileDescriptorProto,
  FileDescriptorProtoSchema,
  FileDescriptorSetSchema,
} from "@bufbuild/protobuf/wkt";
import { Status } from "@koala/interface";
import { type Mesh, RpcError, type ServiceOffer, type ServicesListener } from "@koala/mrpc";
import type { BackendOptions } from "../describe/backend.ts";
import { type OwnService, ServiceCatalog } from "../describe/service-catalog.ts";
import {
  Health,
  HealthCheckRequestSchema,
  HealthCheckResponseSchema,
  HealthCheckResponse_ServingStatus as Serving,
} from "../gen/grpc/health/v1/health_pb.ts";
import {
  ServerReflection,
  ServerReflectionRequestSchema,
  ServerReflectionResponseSchema,
} from "../gen/grpc/reflection/v1/reflection_pb.ts";
import { Probe } from "../gen/probe/v1/probe_pb.ts";
import { healthService } from "./health.ts";
import { reflectionServices } from "./reflection.ts";

const offer: ServiceOffer = { name: "p", service: Probe.typeName, hashes: [], instances: 1 };

interface Stage {
  readonly catalog: ServiceCatalog;
  offer(...offers: ServiceOffer[]): void;
}

function startStage(): Stage {
  let tell: ServicesListener = () => {};
  const mesh = {
    watchServices: (listener: ServicesListener) => {
      tell = listener;
      listener([]);
      return () => {};
    },
  };
  const catalog = new ServiceCatalog({ mesh: mesh as unknown as Mesh, routes: {} });
  return { catalog, offer: (...offers) => tell(offers) };
}

function optionsWith(signal: AbortSignal, timeoutMs?: number): BackendOptions {
  return {
    ...{ signal, timeoutMs, metadata: [] },
    onHeaderEntries: () => {},
    onTrailerEntries: () => {},
  };
}

describe("health", () => {
  const ask = (service: string): Uint8Array =>
    toBinary(HealthCheckRequestSchema, create(HealthCheckRequestSchema, { service }));

  async function check(health: OwnService, service: string): Promise<Serving> {
    const { signal } = new AbortController();
    const bytes = await health.backend.unary(
      Health.method.check,
      ask(service),
      optionsWith(signal),
    );
    return fromBinary(HealthCheckResponseSchema, bytes).status;
  }

  it("is whether somebody offers the service", async () => {
    const stage = startStage();
    const health = healthService(stage.catalog);
    assert.equal(await check(health, ""), Serving.SERVING);
    const isNotFound = (error: unknown): boolean =>
      error instanceof RpcError && error.status === Status.NOT_FOUND;
    await assert.rejects(check(health, Probe.typeName), isNotFound);
    stage.offer(offer);
    assert.equal(await check(health, Probe.typeName), Serving.SERVING);
    stage.offer();
    assert.equal(await check(health, Probe.typeName), Serving.NOT_SERVING);
  });

  it("is watched until the caller wants no more", async () => {
    const stage = startStage();
    const health = healthService(stage.catalog);
    const controller = new AbortController();
    const statuses: Serving[] = [];
    const options = optionsWith(controller.signal);
    const requests = (async function* () {
      yield ask(Probe.typeName);
    })();
    const watched = (async () => {
      for await (const bytes of health.backend.stream(Health.method.watch, requests, options)) {
        statuses.push(fromBinary(HealthCheckResponseSchema, bytes).status);
        // Each change is answered by the next one.
        if (statuses.length === 1) stage.offer(offer);
        else if (statuses.length === 2) stage.offer();
        else controller.abort();
      }
    })();
    await assert.rejects(watched, /CANCELLED/);
    assert.deepEqual(statuses, [Serving.SERVICE_UNKNOWN, Serving.SERVING, Serving.NOT_SERVING]);
  });

  it("is watched until the time is over", async () => {
    const health = healthService(startStage().catalog);
    const requests = (async function* () {
      yield ask("");
    })();
    const options = optionsWith(new AbortController().signal, 30);
    await assert.rejects(async () => {
      for await (const _ of health.backend.stream(Health.method.watch, requests, options));
    }, /DEADLINE_EXCEEDED/);
  });
});

describe("reflection", () => {
  type Question = MessageShape<typeof ServerReflectionRequestSchema>["messageRequest"];
  type Answer = MessageShape<typeof ServerReflectionResponseSchema>["messageResponse"];

  async function askAll(version: number, questions: readonly Question[]): Promise<Answer[]> {
    const { catalog } = startStage();
    for (const service of reflectionServices(catalog)) catalog.add(service);
    const { backend, desc } = reflectionServices(catalog)[version]!;
    const requests = (async function* () {
      for (const messageRequest of questions) {
        const request = create(ServerReflectionRequestSchema, { host: "h", messageRequest });
        yield toBinary(ServerReflectionRequestSchema, request);
      }
    })();
    const answers: Answer[] = [];
    const options = optionsWith(new AbortController().signal);
    for await (const bytes of backend.stream(desc.methods[0]!, requests, options)) {
      const { messageResponse, originalRequest, validHost } = fromBinary(
        ServerReflectionResponseSchema,
        bytes,
      );
      assert.equal(validHost, "h");
      assert.deepEqual(originalRequest?.messageRequest, questions[answers.length]);
      answers.push(messageResponse);
    }
    return answers;
  }

  function filesOf(answer: Answer | undefined): FileDescriptorProto[] {
    assert.ok(answer?.case === "fileDescriptorResponse");
    return answer.value.fileDescriptorProto.map((bytes) =>
      fromBinary(FileDescriptorProtoSchema, bytes),
    );
  }

  it("lists services and gives their files, in both versions", async () => {
    for (const version of [0, 1]) {
      const [list, service, message, file] = await askAll(version, [
        { case: "listServices", value: "" },
        { case: "fileContainingSymbol", value: ServerReflection.typeName },
        { case: "fileContainingSymbol", value: "grpc.reflection.v1.ErrorResponse.error_code" },
        { case: "fileByFilename", value: "grpc/reflection/v1/reflection.proto" },
      ]);
      assert.ok(list?.case === "listServicesResponse");
      assert.deepEqual(
        list.value.service.map(({ name }) => name),
        ["grpc.reflection.v1.ServerReflection", "grpc.reflection.v1alpha.ServerReflection"],
      );
      const files = filesOf(service);
      const set = create(FileDescriptorSetSchema, { file: files });
      assert.ok(createFileRegistry(set).getService(ServerReflection.typeName));
      assert.equal(filesOf(message)[0]?.name, files[0]?.name);
      assert.equal(filesOf(file)[0]?.name, files[0]?.name);
    }
  });

  it("says what it does not have, and goes on", async () => {
    const codes = await askAll(0, [
      { case: "fileContainingSymbol", value: "no.such.Thing" },
      { case: "fileByFilename", value: "no.proto" },
      {
        case: "fileContainingExtension",
        value: {
          $typeName: "grpc.reflection.v1.ExtensionRequest",
          containingType: "a.B",
          extensionNumber: 1,
        },
      },
      { case: "allExtensionNumbersOfType", value: "a.B" },
      { case: undefined },
    ]);
    assert.deepEqual(
      codes.map((answer) => (answer.case === "errorResponse" ? answer.value.errorCode : -1)),
      [
        Status.NOT_FOUND,
        Status.NOT_FOUND,
        Status.NOT_FOUND,
        Status.NOT_FOUND,
        Status.INVALID_ARGUMENT,
      ],
    );
    const [numbers] = await askAll(0, [
      { case: "allExtensionNumbersOfType", value: "grpc.reflection.v1.ErrorResponse" },
    ]);
    assert.ok(numbers?.case === "allExtensionNumbersResponse");
    assert.deepEqual(numbers.value.extensionNumber, []);
  });
});
