/** An admin socket without a daemon, and a run of koalactl against it. */
import { mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestContext } from "node:test";
import { fromJson, toBinary } from "@bufbuild/protobuf";
import { FileDescriptorSetSchema } from "@bufbuild/protobuf/wkt";
import type { AdminAnswers } from "@koala/protocol";
import { run } from "./run.ts";

/** What the socket answers: status of HTTP and body, by target of the request; `POST /v1/x` for a POST. */
export type Answers = Readonly<Record<string, { status?: number; body: unknown }>>;

/** Answers at a new prefix until the test ends; returns the prefix. `onPost` sees what is sent. */
export async function startFake(
  test: TestContext,
  answers: Answers,
  onPost: (path: string, body: unknown) => void = () => {},
): Promise<string> {
  const prefix = createPrefix(test);
  const server = createServer(async (request, response) => {
    const { method, url = "" } = request;
    let text = "";
    for await (const chunk of request) text += String(chunk);
    if (method === "POST") onPost(url, JSON.parse(text));
    const answer = answers[method === "GET" ? url : `${method} ${url}`] ?? {
      status: 404,
      body: { code: "ERR_ADMIN_PATH", message: `there is no ${method} ${url}` },
    };
    const { status = 200, body } = answer;
    response.writeHead(status, { connection: "close" });
    response.end(typeof body === "string" ? body : JSON.stringify(body));
  });
  await new Promise<void>((resolve) => server.listen(join(prefix, "admin.sock"), resolve));
  test.after(() => {
    server.close();
    server.closeAllConnections();
  });
  return prefix;
}

/** An empty folder that goes away with the test. */
export function createPrefix(test: TestContext): string {
  const prefix = mkdtempSync(join(tmpdir(), "koala-"));
  test.after(() => rmSync(prefix, { recursive: true, force: true }));
  return prefix;
}

export interface Ran {
  code: number;
  stdout: string;
  stderr: string;
}

/** Runs koalactl in this process. */
export async function ctl(
  args: readonly string[],
  options: {
    env?: NodeJS.ProcessEnv;
    isTTY?: boolean;
    interrupted?: AbortSignal;
    onOutput?: (text: string) => void;
  } = {},
): Promise<Ran> {
  let stdout = "";
  let stderr = "";
  const code = await run(args, {
    stdout: {
      isTTY: options.isTTY,
      write: (text) => {
        stdout += text;
        options.onOutput?.(text);
      },
    },
    stderr: {
      write: (text) => {
        stderr += text;
        options.onOutput?.(text);
      },
    },
    env: options.env ?? {},
    ...(options.interrupted === undefined ? {} : { interrupted: options.interrupted }),
  });
  return { code, stdout, stderr };
}

/** test.v1.Route with nested messages, lists, maps and a timestamp; service test.v1.Routes. */
export const descriptorSet: Uint8Array = toBinary(
  FileDescriptorSetSchema,
  fromJson(FileDescriptorSetSchema, {
    file: [
      {
        name: "test/v1/routes.proto",
        package: "test.v1",
        syntax: "proto3",
        messageType: [
          {
            name: "Stop",
            field: [
              scalar("lat", 1, "TYPE_DOUBLE"),
              scalar("stop_count", 2, "TYPE_INT32"),
              scalar("kind", 3, "TYPE_ENUM", ".test.v1.Kind"),
            ],
          },
          {
            name: "Route",
            field: [
              scalar("name", 1, "TYPE_STRING"),
              scalar("first", 2, "TYPE_MESSAGE", ".test.v1.Stop"),
              list(scalar("stops", 3, "TYPE_MESSAGE", ".test.v1.Stop")),
              list(scalar("by_name", 4, "TYPE_MESSAGE", ".test.v1.Route.ByNameEntry")),
              scalar("next", 5, "TYPE_MESSAGE", ".test.v1.Route"),
            ],
            nestedType: [
              {
                name: "ByNameEntry",
                options: { mapEntry: true },
                field: [
                  scalar("key", 1, "TYPE_STRING"),
                  scalar("value", 2, "TYPE_MESSAGE", ".test.v1.Stop"),
                ],
              },
            ],
          },
        ],
        enumType: [
          {
            name: "Kind",
            value: [
              { name: "KIND_UNSPECIFIED", number: 0 },
              { name: "KIND_BUS", number: 1 },
            ],
          },
        ],
        service: [
          {
            name: "Routes",
            method: [
              { name: "Find", inputType: ".test.v1.Route", outputType: ".test.v1.Route" },
              {
                name: "Watch",
                inputType: ".test.v1.Route",
                outputType: ".test.v1.Route",
                serverStreaming: true,
              },
            ],
          },
        ],
      },
    ],
  }),
);

/** The answer of `/v1/schema` for test.v1.Routes. */
export function schemaAnswer(...names: string[]): AdminAnswers["/v1/schema"] {
  const text = Buffer.from(descriptorSet).toString("base64");
  const methods = ["Find", "Watch"];
  return {
    service: "test.v1.Routes",
    versions: [{ schema: "aa", names, methods, descriptorSet: text }],
  };
}

interface FieldJson {
  [key: string]: string | number;
}

function scalar(name: string, number: number, type: string, typeName?: string): FieldJson {
  const jsonName = name.replace(/_(.)/g, (_, letter: string) => letter.toUpperCase());
  const field = { name, jsonName, number, type, label: "LABEL_OPTIONAL" };
  return typeName === undefined ? field : { ...field, typeName };
}

function list(field: FieldJson): FieldJson {
  return { ...field, label: "LABEL_REPEATED" };
}
