/**
 * Progress: one line a step, with its duration, on the error stream, so that a verb's own output
 * (a benchmark's JSON) stays alone on stdout.
 */
import process from "node:process";

/** A step that ends before this and had nothing to do is not worth a line. */
const quietMsMax = 400;

/**
 * Runs `work` under a name. `work` resolves to what it did ("214 packages"), or to undefined when
 * there was nothing to do; then the step is shown only if it took long enough to wonder about.
 *
 * @param {string} name
 * @param {() => Promise<string | undefined>} work
 * @param {{ write?: (text: string) => unknown, quietMs?: number }} [options] for tests
 * @returns {Promise<void>}
 */
export async function step(name, work, options = {}) {
  const write = options.write ?? ((text) => process.stderr.write(text));
  const startedAt = performance.now();
  let shown = false;
  const show = () => {
    if (!shown) write(`koala: ${name} ... `);
    shown = true;
  };
  const timer = setTimeout(show, options.quietMs ?? quietMsMax);
  try {
    const done = await work();
    if (done !== undefined) show();
    if (shown) write(`${done ?? "up to date"}, ${seconds(performance.now() - startedAt)}\n`);
  } catch (error) {
    show();
    write(`failed after ${seconds(performance.now() - startedAt)}\n`);
    throw error;
  } finally {
    clearTimeout(timer);
  }
}

/** @param {number} ms */
function seconds(ms) {
  return `${(ms / 1000).toFixed(1)} s`;
}
