/**
 * The benchmark is a program (`main.ts`); as a library it offers what reads and compares results.
 *
 * @packageDocumentation
 */
export { caseNames, type LoadCase, loadCases } from "./cases/case.ts";
export type { Result } from "./figures/result.ts";
export { median, percentile } from "./figures/statistics.ts";
export { renderTable } from "./figures/table.ts";
