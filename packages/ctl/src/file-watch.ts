/**
 * Changes of the files of a folder. The folder is watched, not the file: editors write a new file beside the
 * old one and rename it, and a module imports files beside it.
 */
import { type Dirent, type FSWatcher, readdirSync, watch } from "node:fs";
import { dirname, extname, join } from "node:path";
import { KoalaError, messageOf } from "@koala/interface";

const codeExtensions = [".ts", ".js", ".mjs", ".json"];
/** An editor writes in several steps; what comes within this time is one change. */
const quietMs = 60;

/** The changes of a folder. */
export interface FileWatch {
  /** True after something has changed since the last call; false when `signal` was raised. */
  changed(signal: AbortSignal): Promise<boolean>;
  close(): void;
}

/** Which changes count. */
export interface WatchedFiles {
  /** True for the name of a file whose change counts. */
  matches: (name: string) => boolean;
  /** Folders below count as well, also those that are made later. */
  below?: boolean;
}

/** Watches the folder of a module; throws ERR_CTL_WATCH when it can't. */
export function watchFolderOf(file: string): FileWatch {
  const matches = (name: string): boolean => codeExtensions.includes(extname(name));
  return watchFolder(dirname(file), { matches });
}

/** Watches a folder; throws ERR_CTL_WATCH when it can't. */
export function watchFolder(folder: string, { matches, below = false }: WatchedFiles): FileWatch {
  const watchers = new Map<string, FSWatcher>();
  let isDirty = false;
  let failure: KoalaError | undefined;
  let wake = (): void => {};
  let timer: NodeJS.Timeout | undefined;
  const settle = (): void => {
    isDirty = true;
    wake();
  };
  const fail = (path: string, error: unknown): void => {
    failure ??= watchError(path, error);
    wake();
  };
  // Each folder by itself, and not `recursive`: that follows files, which editors replace.
  const add = (path: string): void => {
    if (watchers.has(path)) return;
    const watcher = watch(path, (_, name) => {
      if (below) addBelow();
      if (name !== null && !matches(name) && !watchers.has(join(path, name))) return;
      clearTimeout(timer);
      timer = setTimeout(settle, quietMs);
    });
    watcher.on("error", (error) => {
      watcher.close();
      watchers.delete(path);
      if (path === folder) fail(path, error);
    });
    watchers.set(path, watcher);
  };
  const addBelow = (): void => {
    try {
      for (const path of foldersBelow(folder)) add(path);
    } catch (error) {
      fail(folder, error);
    }
  };
  const close = (): void => {
    clearTimeout(timer);
    for (const watcher of watchers.values()) watcher.close();
  };
  try {
    add(folder);
  } catch (error) {
    throw watchError(folder, error);
  }
  if (below) addBelow();
  if (failure !== undefined) {
    close();
    throw failure;
  }
  return {
    changed: async (signal) => {
      while (!isDirty && failure === undefined && !signal.aborted) {
        await new Promise<void>((resolve) => {
          wake = resolve;
          signal.addEventListener("abort", () => resolve(), { once: true });
        });
      }
      if (signal.aborted) return false;
      if (failure !== undefined) throw failure;
      isDirty = false;
      return true;
    },
    close,
  };
}

/** Folders below one, at any depth; one that goes away meanwhile has none. */
function foldersBelow(folder: string): string[] {
  let entries: Dirent[];
  try {
    entries = readdirSync(folder, { withFileTypes: true });
  } catch {
    return [];
  }
  const folders = entries.filter((entry) => entry.isDirectory() && entry.name !== "node_modules");
  return folders.flatMap(({ name }) => [join(folder, name), ...foldersBelow(join(folder, name))]);
}

function watchError(folder: string, cause: unknown): KoalaError {
  const text = `can't watch ${folder}: ${messageOf(cause)}`;
  return new KoalaError("ERR_CTL_WATCH", text, { cause });
}
