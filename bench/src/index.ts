/**
 * The benchmark is a program (`main.ts`); as a library it offers what reads and compares results.
 *
 * @packageDocumentation
 */
export { caseNames, type LoadCase, loadCases } from "./case.ts";
export type { Result } from "./result.ts";
export { median, percentile } from "./statistics.ts";
export { renderTable } from "./table.ts";
