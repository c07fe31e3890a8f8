/**
 * The direction of dependencies, in one place. A row says what a package may depend on; what is not in
 * its row it must not know, directly or by its tests.
 *
 *   interface <- native <- shm <- schema <- protocol <- daemon, client <- ctl
 *                          shm <- runtime <- daemon
 *                                  transport-* <- daemon
 *
 * The reasons: `interface` is contracts and nothing else. A transport must not care who uses it, so
 * that one for other hardware fits in its place. Applications link `client`, so it stays thin: neither
 * the scheduler nor the daemon. `ctl` talks to the daemon's admin interface like any other program.
 */

const belowProtocol = ["interface", "native", "shm", "schema"];

/** @type {Record<string, string[]>} */
const table = {
  "packages/interface": [],
  "packages/native": ["interface"],
  "packages/shm": ["interface", "native"],
  "packages/schema": ["interface", "native", "shm"],
  "packages/protocol": belowProtocol,
  "packages/runtime": ["interface", "shm"],
  "packages/policy": ["interface", "schema"],
  "packages/cel": ["interface", "schema", "policy"],
  "packages/policy-*": ["interface", "schema", "policy", "cel"],
  // Policies that ship are found by name at run time, so the daemon never imports one; nor the gateway, whose program
  // it starts.
  "packages/daemon": [
    ...belowProtocol,
    "protocol",
    "runtime",
    "policy",
    "cel",
    "policy-*",
    "gateway",
    "transport-*",
  ],
  "packages/client": [...belowProtocol, "protocol"],
  // Speaks for others in the mesh, as an app like any other.
  "packages/gateway": [...belowProtocol, "protocol", "client"],
  // Clients and routers of another library over the client.
  "packages/connect": ["client"],
  // Clients and servers of another library over the client's raw calls.
  "packages/grpc-js": ["interface", "schema", "client"],
  "packages/ctl": ["interface", "native", "protocol", "client"],
  "packages/testing": [...belowProtocol, "protocol", "runtime"],
  // Apart from `testing`, which packages below `policy` use in their tests.
  "packages/testing-policy": [...belowProtocol, "policy", "testing"],
  "packages/transport-*": belowProtocol,
};

/**
 * What a package may depend on: folders below packages/, where a name may end in a star. Undefined for
 * what is not in the table: benchmarks, examples and tests may use everything.
 *
 * @param {string} folder
 * @returns {string[] | undefined}
 */
export function allowedFor(folder) {
  const row = Object.keys(table).find((pattern) => matches(pattern, folder));
  if (row !== undefined) return table[row];
  // A new package is refused until its row is written: the table is a decision, not a record.
  return folder.startsWith("packages/") ? [] : undefined;
}

/**
 * True when the package in `from` may depend on the one in `to`.
 *
 * @param {string} from a folder, such as packages/shm
 * @param {string} to
 * @param {boolean} inTest only a test of `from` would depend on it
 * @returns {boolean}
 */
export function isAllowed(from, to, inTest) {
  const allowed = allowedFor(from);
  if (allowed === undefined) return true;
  if (to === "packages/testing" && inTest) return true;
  if (to === "packages/testing-policy") return inTest;
  return allowed.some((pattern) => matches(`packages/${pattern}`, to));
}

/**
 * @param {string} pattern
 * @param {string} folder
 */
function matches(pattern, folder) {
  return pattern.endsWith("*") ? folder.startsWith(pattern.slice(0, -1)) : folder === pattern;
}
