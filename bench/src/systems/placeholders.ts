/**
 * Placeholders in system files: `{WORKER.folder}`, `{WORKER.port}`, `{WORKER.VALUE}` for what a worker has
 * printed, `{PEER.KEY}` for what is known of others' software, and `{folder}`, `{port}` of the worker itself. Other
 * braces, as configurations are full of them, stay as they are.
 */
import { KoalaError } from "@koala/interface";
import { suggest } from "../suggestion.ts";
import type { WorkerSpec } from "./system-file.ts";

const placeholder = /\{([a-z][a-z0-9-]*)\.([a-zA-Z][\w-]*)\}|\{(folder|port)\}/g;

/** What is known: by worker or peer, by key. */
export type Values = ReadonlyMap<string, ReadonlyMap<string, string>>;

/** Puts the values in; `ERR_EVAL_SYSTEM` for one that there is not. */
export function fillIn(file: string, worker: string, text: string, values: Values): string {
  return text.replaceAll(
    placeholder,
    (found: string, owner?: string, key?: string, own?: string) => {
      const of = owner ?? worker;
      const name = key ?? own ?? "";
      const known = values.get(of);
      const value = known?.get(name);
      if (value !== undefined) return value;
      const candidates = known === undefined ? [...values.keys()] : [...known.keys()];
      const near = suggest(known === undefined ? of : name, candidates);
      const hint = near === undefined ? "" : ` Did you mean "${near}"?`;
      throw new KoalaError(
        "ERR_EVAL_SYSTEM",
        `${file}: worker "${worker}" asks for ${found}, which there is not.${hint} ` +
          `There are: ${candidates.join(", ")}`,
      );
    },
  );
}

/** The workers and peers whose values a worker asks for. */
export function ownersIn(worker: WorkerSpec): Set<string> {
  const { program, module, command, args, env, files } = worker;
  const texts = [program, module, command, ...args, ...Object.values(env)];
  const all = [...texts, ...files.flatMap(({ path, text }) => [path, text])].join("\n");
  const owners = [...all.matchAll(placeholder)].flatMap(([, owner]) => owner ?? []);
  return new Set(owners.filter((owner) => owner !== worker.name));
}
