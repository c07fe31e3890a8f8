/**
 * Runs of 4 KiB pages in one region: allocate, free, coalesce. All bookkeeping is in private memory of
 * the process that allocates, so whoever else maps the region cannot harm it.
 *
 * Free runs hang in lists by the power of two of their length (segregated fit); a run writes its length
 * at its first and its last page (boundary tags, Knuth, TAOCP vol. 1, 2.5), which lets a freed run find
 * and swallow its free neighbours in constant time.
 */

export const PAGE_BYTES = 4096;
export const PAGE_SHIFT = 12;
const NONE = -1;
const BIN_COUNT = 20;
/** How many runs of a bin that may hold a fit are tried before a larger bin is split. */
const probesMax = 8;

function binOf(pages: number): number {
  return 31 - Math.clz32(pages);
}

export class PageRuns {
  readonly pageCount: number;
  /** Pages in runs that are in use. */
  usedPages = 0;
  private readonly length: Int32Array;
  private readonly inUse: Uint8Array;
  private readonly nextFree: Int32Array;
  private readonly previousFree: Int32Array;
  private readonly bins = new Int32Array(BIN_COUNT).fill(NONE);

  constructor(pageCount: number) {
    this.pageCount = pageCount;
    this.length = new Int32Array(pageCount);
    this.inUse = new Uint8Array(pageCount);
    this.nextFree = new Int32Array(pageCount);
    this.previousFree = new Int32Array(pageCount);
    this.insert(0, pageCount);
  }

  /** First page of a run of so many pages; -1 when there is none. */
  allocate(pages: number): number {
    // So put, NaN is refused too.
    if (!(pages >= 1 && pages <= this.pageCount)) return NONE;
    const run = this.find(pages);
    if (run === NONE) return NONE;
    const rest = this.length[run]! - pages;
    this.remove(run);
    if (rest > 0) this.insert(run + pages, rest);
    this.length[run] = pages;
    this.inUse[run] = 1;
    this.usedPages += pages;
    return run;
  }

  /** Whether a run of so many pages could be had. */
  hasRun(pages: number): boolean {
    return pages >= 1 && pages <= this.pageCount && this.find(pages) !== NONE;
  }

  /** Frees the run that starts at this page and joins it with its free neighbours. */
  free(page: number): void {
    let start = page;
    let pages = this.length[page]!;
    this.inUse[page] = 0;
    this.usedPages -= pages;
    const after = start + pages;
    if (after < this.pageCount && this.isFreeStart(after)) {
      pages += this.length[after]!;
      this.remove(after);
    }
    if (start > 0 && this.isFreeEnd(start - 1)) {
      const before = start - this.length[start - 1]!;
      pages += this.length[before]!;
      this.remove(before);
      start = before;
    }
    this.insert(start, pages);
  }

  /** True when a run that is in use starts at this page. */
  startsUsedRun(page: number): boolean {
    return page >= 0 && page < this.pageCount && this.inUse[page] === 1;
  }

  /** Pages of the run that starts at this page. */
  pagesOf(page: number): number {
    return this.length[page]!;
  }

  // inUse: 0 = inside a run, 1 = first page of a used run, 2 = first page of a free run, 3 = last page
  // of a free run of two pages or more (a free run of one page has a 2).
  private isFreeStart(page: number): boolean {
    return this.inUse[page] === 2;
  }

  private isFreeEnd(page: number): boolean {
    return this.inUse[page] === 3 || (this.inUse[page] === 2 && this.length[page] === 1);
  }

  private find(pages: number): number {
    let bin = binOf(pages);
    let run = this.bins[bin]!;
    for (let probes = 0; run !== NONE && probes < probesMax; probes++) {
      if (this.length[run]! >= pages) return run;
      run = this.nextFree[run]!;
    }
    while (++bin < BIN_COUNT) {
      if (this.bins[bin] !== NONE) return this.bins[bin]!;
    }
    return this.findSlowly(pages);
  }

  /** The rest of the bin in which some runs fit and others do not. */
  private findSlowly(pages: number): number {
    for (let run = this.bins[binOf(pages)]!; run !== NONE; run = this.nextFree[run]!) {
      if (this.length[run]! >= pages) return run;
    }
    return NONE;
  }

  private insert(run: number, pages: number): void {
    const bin = binOf(pages);
    const head = this.bins[bin]!;
    this.length[run] = pages;
    this.length[run + pages - 1] = pages;
    this.inUse[run + pages - 1] = 3;
    this.inUse[run] = 2;
    this.nextFree[run] = head;
    this.previousFree[run] = NONE;
    if (head !== NONE) this.previousFree[head] = run;
    this.bins[bin] = run;
  }

  private remove(run: number): void {
    const pages = this.length[run]!;
    const next = this.nextFree[run]!;
    const previous = this.previousFree[run]!;
    if (next !== NONE) this.previousFree[next] = previous;
    if (previous === NONE) this.bins[binOf(pages)] = next;
    else this.nextFree[previous] = next;
    this.inUse[run + pages - 1] = 0;
    this.inUse[run] = 0;
  }
}
