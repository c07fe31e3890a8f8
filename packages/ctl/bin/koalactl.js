#!/usr/bin/env node
// Committed, so that npm links the command before the package is compiled. An older Node can't even read the
// program, so it is told here.
const [major = 0, minor = 0] = process.versions.node.split(".").map(Number);
if (major > 20 || (major === 20 && minor >= 19)) {
  await import("../dist/main.js");
} else {
  process.stderr.write(
    `koalactl: Node 20.19 or newer is needed, this is ${process.versions.node} (${process.execPath})\n`,
  );
  process.exitCode = 1;
}
