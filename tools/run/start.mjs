import { runProgram } from "./program.mjs";

/**
 * @param {string[]} args
 * @returns {Promise<number>}
 */
export function start(args) {
  return runProgram("examples/geo/dist/demo.js", args);
}
