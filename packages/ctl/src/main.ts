#!/usr/bin/env node
/** The program `koalactl`. */
import { run } from "./run.ts";

// A reader that has seen enough, as in `koalactl apps | head -1`, is no failure.
process.stdout.on("error", (error: NodeJS.ErrnoException) => {
  if (error.code !== "EPIPE") throw error;
  process.exit();
});
process.exitCode = await run(process.argv.slice(2));
