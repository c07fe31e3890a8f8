/** The frame of every `*.fuzz.ts`: seeds, a time box, and how to repeat a failure. */
import { pathToFileURL } from "node:url";
import { Prng } from "./prng.ts";

/** One experiment; throws when the property does not hold. */
export type FuzzRound = (prng: Prng) => void | Promise<void>;

const secondsDefault = 10;

/** Runs rounds with seeds `firstSeed`, `firstSeed` + 1, …; for the tests beside a fuzzer. */
export async function runRounds(round: FuzzRound, firstSeed: number, count: number): Promise<void> {
  for (let seed = firstSeed; seed < firstSeed + count; seed++) await runRound(round, seed);
}

/**
 * Does nothing unless the module is the program that runs. With a seed (first argument or FUZZ_SEED)
 * runs that one round, otherwise rounds with seeds of their own for FUZZ_SECONDS (default 10).
 */
export async function fuzzMain(moduleUrl: string, name: string, round: FuzzRound): Promise<void> {
  const program = process.argv[1];
  if (program === undefined || pathToFileURL(program).href !== moduleUrl) return;
  const given = process.argv[2] ?? process.env["FUZZ_SEED"];
  const seconds = Number(process.env["FUZZ_SECONDS"] ?? secondsDefault);
  const firstSeed = given === undefined ? Math.floor(Math.random() * 0x7000_0000) : Number(given);
  const end = Date.now() + seconds * 1000;
  let rounds = 0;
  try {
    do {
      await runRound(round, firstSeed + rounds);
      rounds++;
    } while (given === undefined && Date.now() < end);
    console.log(`${name}: ${rounds} rounds from seed ${firstSeed}, all fine`);
  } catch (error) {
    console.error(error);
    console.error(`${name}: repeat it with "npm run fuzz -- ${name} ${firstSeed + rounds}"`);
    process.exitCode = 1;
  }
}

async function runRound(round: FuzzRound, seed: number): Promise<void> {
  try {
    await round(new Prng(seed));
  } catch (cause) {
    throw new Error(`the round with seed ${seed} failed: ${String(cause)}`, { cause });
  }
}
