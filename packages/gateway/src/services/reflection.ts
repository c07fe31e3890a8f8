/** Server reflection, v1 and v1alpha, for all services of the mesh: clients without .proto files can call them. */
import {
  type DescExtension,
  type DescFile,
  type DescMessage,
  type MessageInitShape,
  toBinary,
} from "@bufbuild/protobuf";
import { FileDescriptorProtoSchema } from "@bufbuild/protobuf/wkt";
import { Status } from "@koala/interface";
import { ownService } from "../describe/own-service.ts";
import { filesOf, type OwnService, type ServiceCatalog } from "../describe/service-catalog.ts";
import {
  ServerReflection,
  type ServerReflectionRequest,
  type ServerReflectionResponseSchema,
} from "../gen/grpc/reflection/v1/reflection_pb.ts";
import { ServerReflection as ServerReflectionAlpha } from "../gen/grpc/reflection/v1alpha/reflection_pb.ts";

type Answer = NonNullable<
  MessageInitShape<typeof ServerReflectionResponseSchema>["messageResponse"]
>;

/** Both versions. They differ in their names only: the bytes of their messages are the same. */
export function reflectionServices(catalog: ServiceCatalog): OwnService[] {
  const current = ownService(ServerReflection, {
    async *serverReflectionInfo(requests) {
      const session = new ReflectionSession(catalog);
      for await (const originalRequest of requests) {
        const messageResponse = await session.answer(originalRequest);
        yield { validHost: originalRequest.host, originalRequest, messageResponse };
      }
    },
  });
  const { backend } = current;
  const [info] = ServerReflection.methods;
  const alpha: OwnService = {
    ...current,
    desc: ServerReflectionAlpha,
    backend: {
      ...backend,
      service: ServerReflectionAlpha,
      stream: (_method, requests, options) => backend.stream(info!, requests, options),
    },
  };
  return [current, alpha];
}

/**
 * What one client asks. Two servers may have different files of one name, so the files of the service that was asked
 * for last are looked at first.
 */
class ReflectionSession {
  private readonly catalog: ServiceCatalog;
  private recent: DescFile[] = [];
  private readonly sent = new Set<DescFile>();

  constructor(catalog: ServiceCatalog) {
    this.catalog = catalog;
  }

  async answer({ messageRequest }: ServerReflectionRequest): Promise<Answer> {
    switch (messageRequest.case) {
      case "listServices": {
        const service = this.catalog.names().map((name) => ({ name }));
        return { case: "listServicesResponse", value: { service } };
      }
      case "fileContainingSymbol":
        return await this.symbol(messageRequest.value);
      case "fileByFilename": {
        const name = messageRequest.value;
        return await this.file(`file ${name}`, (file) => file.proto.name === name);
      }
      case "fileContainingExtension": {
        const { containingType, extensionNumber } = messageRequest.value;
        const what = `extension ${extensionNumber} of ${containingType}`;
        return await this.file(what, (file) =>
          extensionsOf(file).some(
            ({ extendee, number }) =>
              extendee.typeName === containingType && number === extensionNumber,
          ),
        );
      }
      case "allExtensionNumbersOfType":
        return await this.extensions(messageRequest.value);
      default:
        return failure(Status.INVALID_ARGUMENT, "the request asks for nothing");
    }
  }

  private async symbol(symbol: string): Promise<Answer> {
    const service = this.catalog
      .names()
      .find((name) => symbol === name || symbol.startsWith(`${name}.`));
    const desc = service === undefined ? undefined : await this.catalog.describe(service);
    if (desc === undefined) return await this.file(symbol, (file) => namesOf(file).has(symbol));
    this.recent = filesOf([desc.file]);
    return this.files(desc.file);
  }

  private async file(what: string, isIt: (file: DescFile) => boolean): Promise<Answer> {
    const file = this.recent.find(isIt) ?? (await this.all()).find(isIt);
    return file === undefined ? failure(Status.NOT_FOUND, `no ${what} here`) : this.files(file);
  }

  private async extensions(typeName: string): Promise<Answer> {
    const files = await this.all();
    const numbers = files
      .flatMap((file) => extensionsOf(file))
      .filter(({ extendee }) => extendee.typeName === typeName)
      .map(({ number }) => number);
    const isKnown = files.some((file) => namesOf(file).has(typeName));
    if (!isKnown) return failure(Status.NOT_FOUND, `no ${typeName} here`);
    const extensionNumber = [...new Set(numbers)].sort((a, b) => a - b);
    return {
      case: "allExtensionNumbersResponse",
      value: { baseTypeName: typeName, extensionNumber },
    };
  }

  /** The file and what it imports, but for what this client has had. */
  private files(file: DescFile): Answer {
    const files = filesOf([file]).filter((each) => each === file || !this.sent.has(each));
    for (const each of files) this.sent.add(each);
    const fileDescriptorProto = files
      .reverse()
      .map(({ proto }) => toBinary(FileDescriptorProtoSchema, proto));
    return { case: "fileDescriptorResponse", value: { fileDescriptorProto } };
  }

  private async all(): Promise<DescFile[]> {
    const services = await Promise.all(
      this.catalog.names().map((name) => this.catalog.describe(name)),
    );
    return filesOf(services.flatMap((desc) => (desc === undefined ? [] : [desc.file])));
  }
}

function failure(errorCode: Status, errorMessage: string): Answer {
  return { case: "errorResponse", value: { errorCode, errorMessage } };
}

/** Full names of all that a file declares. */
function namesOf(file: DescFile): Set<string> {
  const names = new Set<string>();
  const addMessage = (message: DescMessage): void => {
    names.add(message.typeName);
    for (const field of message.fields) names.add(`${message.typeName}.${field.name}`);
    for (const nested of message.nestedEnums) names.add(nested.typeName);
    for (const nested of message.nestedExtensions) names.add(nested.typeName);
    message.nestedMessages.forEach(addMessage);
  };
  file.messages.forEach(addMessage);
  for (const each of [...file.enums, ...file.extensions]) names.add(each.typeName);
  for (const service of file.services) {
    names.add(service.typeName);
    for (const method of service.methods) names.add(`${service.typeName}.${method.name}`);
  }
  return names;
}

function extensionsOf(file: DescFile): DescExtension[] {
  const ofMessage = (message: DescMessage): DescExtension[] => [
    ...message.nestedExtensions,
    ...message.nestedMessages.flatMap(ofMessage),
  ];
  return [...file.extensions, ...file.messages.flatMap(ofMessage)];
}
