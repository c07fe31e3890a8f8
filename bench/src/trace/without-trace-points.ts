/** To be preloaded (`--import`): the program runs as if no trace points were written in its modules. */
import { register } from "node:module";

register(new URL("./strip-trace-points.js", import.meta.url));
