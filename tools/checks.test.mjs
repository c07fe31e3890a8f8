/** The checks of the repository as tests, so that whoever runs the tests has run them. */
import process from "node:process";
import { test } from "node:test";
import { checks } from "./run/checks.mjs";

/** @type {string[]} */
const paths = JSON.parse(process.env["KOALA_CHECK_PATHS"] ?? "[]");

for (const { name, find } of checks) {
  test(`${name}: in order`, async () => {
    const found = await find(paths);
    if (found === undefined) return;
    const failure = new Error(`${name}: not in order`);
    // What was found says where; the stack of this file would only hide it.
    failure.stack = found;
    throw failure;
  });
}
