/**
 * Schemas as taps need them, in the main thread: compiled for reading, with what must not be shown. They are
 * asked of the runtimes when the first message of a version comes, and kept while anybody taps.
 */
import {
  createFileRegistry,
  type DescField,
  type DescMessage,
  type FileRegistry,
  fromBinary,
  type Registry,
} from "@bufbuild/protobuf";
import { FileDescriptorSetSchema } from "@bufbuild/protobuf/wkt";
import { type ServiceSchema, serviceSchemaFrom } from "@koala/schema";
import type { KnownSchema } from "./observe-orders.ts";

/** One version of a service. */
export interface BookedSchema {
  readonly schema: ServiceSchema;
  readonly registry: Registry;
  /** Whether a field is not to be shown; it is enough that one version of the service says so. */
  isRedacted(field: DescField): boolean;
}

/** Versions that are kept. */
const versionsMax = 64;

export class SchemaBook {
  private readonly fetch: (service: string) => Promise<readonly KnownSchema[]>;
  private readonly versions = new Map<string, BookedSchema>();
  /** Asked for at the moment, or in vain. */
  private readonly asked = new Map<string, Promise<void>>();
  /** By service: `type#number` of fields that are not to be shown. */
  private readonly redacted = new Map<string, Set<string>>();

  constructor(fetch: (service: string) => Promise<readonly KnownSchema[]>) {
    this.fetch = fetch;
  }

  /** The version, if it can be had. */
  async find(service: string, hash: string): Promise<BookedSchema | undefined> {
    const key = `${service}#${hash}`;
    if (!this.versions.has(key)) {
      let asking = this.asked.get(key);
      if (asking === undefined) {
        asking = this.load(service);
        this.asked.set(key, asking);
      }
      await asking;
    }
    return this.versions.get(key);
  }

  /** All versions of a service that the runtimes know. */
  async all(service: string): Promise<BookedSchema[]> {
    await this.load(service);
    return [...this.versions].flatMap(([key, found]) =>
      key.startsWith(`${service}#`) ? [found] : [],
    );
  }

  /** Nobody taps any more. */
  clear(): void {
    this.versions.clear();
    this.asked.clear();
    this.redacted.clear();
  }

  private async load(service: string): Promise<void> {
    const redacted = this.redacted.get(service) ?? new Set<string>();
    this.redacted.set(service, redacted);
    for (const { hash, descriptorSet, others } of await this.fetch(service)) {
      const key = `${service}#${hash}`;
      for (const other of others) addRedacted(other, service, redacted);
      // What a runtime has compiled can be compiled here.
      const schema = serviceSchemaFrom(descriptorSet, service);
      const registry = registryOf(descriptorSet);
      for (const name of redactedFields(registry)) redacted.add(name);
      if (this.versions.has(key) || this.versions.size >= versionsMax) continue;
      const isRedacted = (field: DescField): boolean => redacted.has(nameOf(field));
      this.versions.set(key, { schema, registry, isRedacted });
    }
  }
}

function registryOf(descriptorSet: Uint8Array): FileRegistry {
  return createFileRegistry(fromBinary(FileDescriptorSetSchema, new Uint8Array(descriptorSet)));
}

/** Of descriptors that nobody has checked; what is wrong with them does not matter here. */
function addRedacted(descriptorSet: Uint8Array, service: string, redacted: Set<string>): void {
  try {
    serviceSchemaFrom(descriptorSet, service);
    for (const name of redactedFields(registryOf(descriptorSet))) redacted.add(name);
  } catch {
    // The app that sent them is served by the layout that it announced.
  }
}

function* redactedFields(registry: FileRegistry): Iterable<string> {
  for (const type of registry) {
    if (type.kind !== "message") continue;
    for (const field of (type as DescMessage).fields) {
      if (field.proto.options?.debugRedact === true) yield nameOf(field);
    }
  }
}

function nameOf({ parent, number }: DescField): string {
  return `${parent.typeName}#${number}`;
}
