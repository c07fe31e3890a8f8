/**
 * The adapter of this version of the daemon, for another version of it to load:
 * `koalactl upgrade adapter --path …/daemon/dist/engines/adapter-module.js`.
 */
import { builtInAdapter } from "./adapter.ts";

export default builtInAdapter;
