/** 64 bits of a text in two numbers, with a seed that strangers don't know, so that they can't make texts collide. */
export class KeyHash {
  first = 0;
  second = 0;
  private readonly seedFirst: number;
  private readonly seedSecond: number;

  constructor(seedFirst: number, seedSecond: number) {
    this.seedFirst = seedFirst;
    this.seedSecond = seedSecond;
  }

  /** Sets `first`, which is never 0, and `second`. */
  of(text: string): void {
    let one = this.seedFirst;
    let two = this.seedSecond ^ text.length;
    for (let i = 0; i < text.length; i++) {
      const unit = text.charCodeAt(i);
      one = Math.imul(one ^ unit, 0x85ebca6b);
      one = (one << 13) | (one >>> 19);
      two = Math.imul(two ^ unit, 0xc2b2ae35);
      two = (two << 17) | (two >>> 15);
    }
    one = Math.imul(one ^ (one >>> 16), 0x7feb352d);
    two = Math.imul(two ^ (two >>> 15), 0x846ca68b);
    one = (one ^ (one >>> 15) ^ two) | 0;
    this.first = one === 0 ? 1 : one;
    this.second = (two ^ (two >>> 16)) | 0;
  }
}
