/**
 * The frontend of this version of the daemon, for another version of it to load:
 * `koalactl upgrade frontend --path …/daemon/dist/engines/frontend-module.js`.
 */
import { builtInFrontend } from "./frontend.ts";

export default builtInFrontend;
