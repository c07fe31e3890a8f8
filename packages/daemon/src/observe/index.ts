/** Seeing calls: records, counters, taps, and policies that are tried out. */
export { Observer } from "./observer.ts";
