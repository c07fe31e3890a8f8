import { runProgram } from "./program.mjs";

/**
 * @param {string[]} args
 * @returns {Promise<number>}
 */
export function evaluate(args) {
  return runProgram("bench/dist/launcher/main.js", args);
}

/**
 * @param {string[]} args
 * @returns {Promise<number>}
 */
export function compareRuns(args) {
  return runProgram("bench/dist/launcher/compare.js", args);
}
