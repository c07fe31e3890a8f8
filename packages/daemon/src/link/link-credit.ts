/** The window of a link for what comes in: what the far side may still send, and what it is told. */
export class LinkCredit {
  /** Bytes of message frames that the far side may still send. */
  granted: number;
  /** Bytes that were received for good, and that the far side has not been told of. */
  owed = 0;
  private readonly step: number;

  /** Credit is returned in steps of an eighth of the window, so that it costs few frames. */
  constructor(window: number) {
    this.granted = window;
    this.step = window / 8;
  }

  get isDue(): boolean {
    return this.owed >= this.step;
  }

  /** What the far side is to be told now; 0 while it is not worth a frame. */
  take(): number {
    if (!this.isDue) return 0;
    const { owed } = this;
    this.owed = 0;
    this.granted += owed;
    return owed;
  }
}
