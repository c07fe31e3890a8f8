#!/usr/bin/env node
// Committed, so that npm links the command before the package is compiled.
import "../dist/main.js";
