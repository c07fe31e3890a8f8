/** Folders that go away with their test. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** What has an end to hook into: the context of a `node:test` test. */
export interface Ending {
  after(callback: () => void | Promise<void>): void;
}

/** A new empty folder with a short path (sockets allow 107 bytes), removed after the test. */
export function createTempDirectory(test: Ending): string {
  const folder = mkdtempSync(join(tmpdir(), "koala-"));
  test.after(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}
