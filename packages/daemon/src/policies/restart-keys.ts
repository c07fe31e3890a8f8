/** Which keys of koala.toml differ from what a daemon was started with, and wait for its next start. */
import type { LoadedConfig } from "../config/index.ts";
import { keyNames, keyType, repeatedSections } from "../config/schema.ts";

/** Sections and keys that take effect while the daemon runs. */
const live: readonly string[] = ["policy", "modules", "log.level"];

/** `daemon.listen`, `peer`: in the order of the reference page. */
export function keysForRestart(before: LoadedConfig, after: LoadedConfig): string[] {
  const keys: string[] = [];
  for (const section of keyNames()) {
    if (live.includes(section)) continue;
    if (repeatedSections.includes(section)) {
      const [a, b] = [before, after].map(({ document }) => plain(document.values[section] ?? []));
      if (a !== b) keys.push(section);
      continue;
    }
    for (const key of keyNames(section)) {
      if (live.includes(`${section}.${key}`)) continue;
      const [a, b] = [before, after].map((loaded) => plain(valueAt(loaded, section, key)));
      if (a !== b) keys.push(`${section}.${key}`);
    }
  }
  return keys;
}

/** The value of a key, also when the file leaves it to its default. */
function valueAt({ document }: LoadedConfig, section: string, key: string): unknown {
  const table = (document.values[section] ?? {}) as Record<string, unknown>;
  const result = keyType(section, key)?.safeParse(table[key]);
  return result?.success ? result.data : table[key];
}

function plain(value: unknown): string {
  return JSON.stringify(value ?? null, (_, item: unknown) =>
    typeof item === "bigint" ? String(item) : item,
  );
}
