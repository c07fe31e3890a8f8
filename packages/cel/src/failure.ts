/** What an evaluation gives when it has no value: a division by zero, a missing key, a limit. */

/** One is made for each place of an expression that can fail, when the expression is compiled. */
export class Failure {
  readonly reason: string;
  /** UTF-16 units from the start of the text. */
  readonly offset: number;

  constructor(reason: string, offset: number) {
    this.reason = reason;
    this.offset = offset;
  }
}
