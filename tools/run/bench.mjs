import { runProgram } from "./program.mjs";

/**
 * @param {string[]} args
 * @returns {Promise<number>}
 */
export function bench(args) {
  return runProgram("bench/dist/main.js", args);
}
