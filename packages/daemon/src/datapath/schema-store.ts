/**
 * The service schemas that this runtime has compiled, by content hash. One schema serves every app and
 * link that uses it. Schemas that nobody uses any more stay for a while, because apps restart; beyond
 * `unusedMax` the oldest go.
 */
import { KoalaError } from "@koala/interface";
import { compareServices, type ServiceSchema, serviceSchemaFrom } from "@koala/schema";

const unusedMax = 64;
const othersMax = 4;

interface Entry {
  readonly schema: ServiceSchema;
  users: number;
  /** Other descriptors with the same layout: they may have other options. */
  readonly others: Uint8Array[];
}

/** How the methods of a caller's schema map to those of a server's; see `compareServices`. */
export type ServiceComparison = ReturnType<typeof compareServices>;

export class SchemaStore {
  private readonly entries = new Map<string, Entry>();
  private readonly comparisons = new Map<string, ServiceComparison | KoalaError>();
  /** A schema has come that was not known. */
  onCompiled: (schema: ServiceSchema) => void = () => {};

  /** The schema, if it is known here, with one user more. */
  acquire(service: string, hash: string): ServiceSchema | undefined {
    const entry = this.entries.get(`${service}#${hash}`);
    if (entry !== undefined) entry.users++;
    return entry?.schema;
  }

  /**
   * Compiles untrusted descriptor bytes, with one user. Throws a KoalaError that says what is wrong with
   * them, ERR_SCHEMA_HASH when they are not what the hash announced.
   */
  compile(descriptorSet: Uint8Array, service: string, hash: string): ServiceSchema {
    const known = this.acquire(service, hash);
    if (known !== undefined) return known;
    const schema = serviceSchemaFrom(descriptorSet, service);
    if (schema.hash !== hash) {
      throw new KoalaError(
        "ERR_SCHEMA_HASH",
        `${service}: the descriptors have the hash ${schema.hash.slice(0, 12)}…, but ${hash.slice(0, 12)}… was announced; ` +
          "expected both ends to compute it with the same version of Koala: update the older one",
      );
    }
    this.dropUnused();
    this.entries.set(`${service}#${hash}`, { schema, users: 1, others: [] });
    this.onCompiled(schema);
    return schema;
  }

  /**
   * Somebody else has the same schema in so many bytes: if they are other ones, they are kept for
   * `othersOf`. What can't be read is left out.
   */
  meet(
    { typeName, hash, descriptorSet }: ServiceSchema,
    bytes: number,
    read: () => Uint8Array,
  ): void {
    const others = this.entries.get(`${typeName}#${hash}`)?.others;
    if (others === undefined || bytes === descriptorSet.length || others.length >= othersMax)
      return;
    if (others.some(({ length }) => length === bytes)) return;
    try {
      others.push(read());
    } catch {
      // Nothing depends on them: what the app calls and serves has a schema.
    }
  }

  /** Descriptors of others for a schema, not checked. */
  othersOf({ typeName, hash }: ServiceSchema): readonly Uint8Array[] {
    return this.entries.get(`${typeName}#${hash}`)?.others ?? [];
  }

  /** All that are known, for another store. */
  all(): ServiceSchema[] {
    return [...this.entries.values()].map(({ schema }) => schema);
  }

  /** One user less. */
  release(schema: ServiceSchema): void {
    const entry = this.entries.get(`${schema.typeName}#${schema.hash}`);
    if (entry !== undefined) entry.users--;
  }

  /** The comparison of two schemas of a service, or the conflict that keeps them apart; cached. */
  compare(client: ServiceSchema, server: ServiceSchema): ServiceComparison | KoalaError {
    const key = `${client.typeName}#${client.hash}#${server.hash}`;
    let comparison = this.comparisons.get(key);
    if (comparison === undefined) {
      try {
        comparison = compareServices(client, server);
      } catch (error) {
        comparison =
          error instanceof KoalaError
            ? error
            : new KoalaError("ERR_SCHEMA_CONFLICT", String(error), { cause: error });
      }
      this.comparisons.set(key, comparison);
    }
    return comparison;
  }

  private dropUnused(): void {
    const unused = [...this.entries].filter(([, entry]) => entry.users === 0);
    for (const [key, { schema }] of unused.slice(0, Math.max(0, unused.length - unusedMax))) {
      this.entries.delete(key);
      for (const pair of this.comparisons.keys()) {
        if (pair.includes(schema.hash)) this.comparisons.delete(pair);
      }
    }
  }
}
