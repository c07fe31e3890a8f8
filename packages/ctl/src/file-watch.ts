/**
 * Changes of a module's folder. The folder is watched, not the file: editors write a new file beside the
 * old one and rename it, and a module imports files beside it.
 */
import { type FSWatcher, watch } from "node:fs";
import { dirname, extname } from "node:path";
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

/** Watches the folder of a file; throws ERR_CTL_WATCH when it can't. */
export function watchFolderOf(file: string): FileWatch {
  let isDirty = false;
  let failure: Error | undefined;
  let wake = (): void => {};
  let timer: NodeJS.Timeout | undefined;
  const settle = (): void => {
    isDirty = true;
    wake();
  };
  const folder = dirname(file);
  let watcher: FSWatcher;
  try {
    watcher = watch(folder, (_, name) => {
      if (name !== null && !codeExtensions.includes(extname(name))) return;
      clearTimeout(timer);
      timer = setTimeout(settle, quietMs);
    });
  } catch (error) {
    throw watchError(folder, error);
  }
  watcher.on("error", (error) => {
    failure = error instanceof Error ? error : new Error(String(error));
    wake();
  });
  return {
    changed: async (signal) => {
      while (!isDirty && failure === undefined && !signal.aborted) {
        await new Promise<void>((resolve) => {
          wake = resolve;
          signal.addEventListener("abort", () => resolve(), { once: true });
        });
      }
      if (signal.aborted) return false;
      if (failure !== undefined) throw watchError(folder, failure);
      isDirty = false;
      return true;
    },
    close: () => {
      clearTimeout(timer);
      watcher.close();
    },
  };
}

function watchError(folder: string, cause: unknown): KoalaError {
  const text = `can't watch ${folder}: ${messageOf(cause)}`;
  return new KoalaError("ERR_CTL_WATCH", text, { cause });
}
