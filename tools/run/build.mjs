import { setUp } from "./set-up.mjs";

/**
 * @param {string[]} _args
 * @returns {Promise<number>}
 */
export async function build(_args) {
  await setUp();
  return 0;
}
