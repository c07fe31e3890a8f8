/**
 * A client with questions: calls the service "geo" through the daemon of this host, whose directory is taken
 * from KOALA_PREFIX, and prints the answers. The errors are part of the show.
 */
import { connect, RpcError } from "@koala/mrpc";
import { describeCity } from "./describe-city.ts";
import { Geo } from "./gen/geo/v1/geo_pb.ts";

const mesh = await connect();
const geo = mesh.client(Geo, "geo");
const timeoutMs = 5000;

/** Prints what was asked and the lines of the answer; a failed call is an answer, too. */
async function ask(question: string, answer: () => Promise<readonly string[]>): Promise<void> {
  console.log(question);
  const start = performance.now();
  const lines = await answer().catch(describeFailure);
  const tookMs = (performance.now() - start).toFixed(1);
  for (const line of lines) console.log(`    ${line}`);
  console.log(`    (${tookMs} ms)\n`);
}

/** A call that ended with a status is shown; anything else is a bug and ends the program. */
function describeFailure(error: unknown): readonly string[] {
  if (error instanceof RpcError) return [error.message, `(decided by: ${error.origin})`];
  throw error;
}

async function near(lat: number, lon: number, limit: number): Promise<readonly string[]> {
  // The service may be announced a moment after the daemon is up: these calls wait for it.
  const reply = await geo.nearest({ lat, lon, limit }, { timeoutMs, waitForReady: true });
  return reply.cities.map(describeCity);
}

async function named(name: string, country = ""): Promise<readonly string[]> {
  return [describeCity(await geo.lookup({ name, country }, { timeoutMs, waitForReady: true }))];
}

try {
  await ask("What is near Zürich's main station?", () => near(47.378, 8.54, 5));
  await ask("What is near the Taveuni 180° meridian stone in Fiji?", () => near(-16.79, 180, 3));
  await ask('Which "sao paulo" is the big one?', () => named("sao paulo"));
  await ask('And which "paris" in the United States?', () => named("paris", "us"));
  await ask("Where is Atlantis?", () => named("Atlantis"));
  await ask("Where is Minas Tirith?", () => named("Minas Tirith"));
  await ask("What is near 91° north?", () => near(91, 0, 5));
  await ask("What if the caller changes its mind?", async () => {
    const controller = new AbortController();
    const reply = geo.nearest({ lat: 0, lon: 0, limit: 100 }, { signal: controller.signal });
    controller.abort();
    return (await reply).cities.map(describeCity);
  });
} finally {
  await mesh.close();
}
