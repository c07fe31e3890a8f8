/** Which code the policies of a revision ran. The code itself is not kept. */
import type { Attachment } from "./attachment.ts";

/** Which code it was. */
export interface RevisedModule {
  readonly version: string;
  readonly file: string;
  /** Hash over the code. */
  readonly code: string;
}

/** The code of attachments by `use`. */
export function modulesOf(attachments: readonly Attachment[]): Record<string, RevisedModule> {
  return Object.fromEntries(
    attachments.map(({ module: { use, entry: file, definition, compiled } }) => {
      return [use, { version: definition.version, file, code: compiled.hash }];
    }),
  );
}

/** For people: modules whose code is another one than in a revision. */
export function otherCode(
  then: Readonly<Record<string, RevisedModule>>,
  now: Readonly<Record<string, RevisedModule>>,
): string[] {
  return Object.entries(then).flatMap(([use, old]) => {
    const next = now[use];
    if (next === undefined || next.code === old.code) return [];
    const [before, after] = [old, next].map(
      ({ version, code }) => `${version} (code ${code.slice(0, 8)})`,
    );
    return [`"${use}" was ${before} in that revision and is ${after}: code is not rolled back`];
  });
}
