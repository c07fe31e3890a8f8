/** What is made or installed once and kept in `.cache/` of the checkout, where git does not look. */
import { createHash } from "node:crypto";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
} from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

/** In names of folders that are being filled. */
const draftMark = ".new-";
/** Nothing takes so long to be made. */
const draftMsMax = 3_600_000;

const cacheFolder = fileURLToPath(new URL("../../../.cache", import.meta.url));

/** A short name for what goes into something that is kept. */
export function hashOf(parts: readonly (string | Uint8Array)[]): string {
  const hash = createHash("sha256");
  for (const part of parts) hash.update(`${part.length}:`).update(part);
  return hash.digest("hex").slice(0, 16);
}

/**
 * The folder with this name, which `make` fills when it is not there yet. It appears complete or not at all;
 * of several processes that make it at the same time one wins, and all get the same.
 */
export async function kept(
  name: string,
  make: (folder: string) => Promise<void>,
  root: string = cacheFolder,
): Promise<string> {
  const folder = join(root, name);
  if (existsSync(folder)) return folder;
  mkdirSync(root, { recursive: true });
  removeOldDrafts(root);
  const draft = mkdtempSync(join(root, `${name}${draftMark}`));
  try {
    await make(draft);
    renameSync(draft, folder);
  } catch (error) {
    rmSync(draft, { recursive: true, force: true });
    // Somebody else was faster.
    if (!existsSync(folder)) throw error;
  }
  return folder;
}

/** Those of processes that were killed while they made something. */
function removeOldDrafts(root: string): void {
  for (const name of readdirSync(root).filter((each) => each.includes(draftMark))) {
    const draft = join(root, name);
    const made = statSync(draft, { throwIfNoEntry: false })?.mtimeMs;
    if (made !== undefined && Date.now() - made > draftMsMax) {
      rmSync(draft, { recursive: true, force: true });
    }
  }
}
