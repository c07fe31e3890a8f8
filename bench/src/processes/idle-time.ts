/** What daemons use while nobody calls: between the turns of their system. */
export class IdleTime {
  private readonly cpuSeconds: () => number | null;
  private beganAtMs = 0;
  private cpuAtBegin: number | null = null;
  private usedSeconds = 0;
  private idleSeconds = 0;

  /** `cpuSeconds` tells how much they have used since their start. */
  constructor(cpuSeconds: () => number | null) {
    this.cpuSeconds = cpuSeconds;
  }

  /** The turn is over. */
  begin(): void {
    this.cpuAtBegin = this.cpuSeconds();
    this.beganAtMs = performance.now();
  }

  /** The next turn begins. */
  end(): void {
    const cpu = this.cpuSeconds();
    if (cpu === null || this.cpuAtBegin === null) return;
    this.usedSeconds += cpu - this.cpuAtBegin;
    this.idleSeconds += (performance.now() - this.beganAtMs) / 1000;
  }

  /** Of one processor; null when nothing was idle long enough to tell. */
  cpuShare(): number | null {
    return this.idleSeconds > 0.1 ? this.usedSeconds / this.idleSeconds : null;
  }
}
