/** Bounds on what an expression may cost to compile and to run. */

/** UTF-16 units of an expression. */
export const textLengthMax = 16_384;
/** Nesting of an expression, brackets included. */
export const depthMax = 64;
/** Names, literals, operators and calls of an expression. */
export const nodesMax = 4_096;
/** Elements of a list that is written in an expression. */
export const listLengthMax = 1_024;
/** Elements that all macros and `in` of one evaluation look at. */
export const stepsMax = 100_000;
/** UTF-16 units of a string that `+` makes. */
export const concatenationMax = 1_048_576;
/** UTF-16 units of a string that `matches` looks at. */
export const matchedLengthMax = 65_536;
/** UTF-16 units of what `contains` looks for, unless it is a literal. */
export const needleLengthMax = 1_024;
/** Problems that are reported for one expression. */
export const problemsMax = 20;
