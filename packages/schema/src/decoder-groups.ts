/** Where groups end, for generated decoders; text, like the writer's prelude. */

/** For types without groups: those that come are unknown, and are looked through once. */
export const plainGroups = `
const group = skipGroup;
function startGroups() {}
`;

/**
 * For types with groups: their ends are kept, so that groups in groups are looked through once, not once for
 * each level. Rows of start and end, ascending, of the message that is being decoded.
 */
export const keptGroups: string = `
let ends = new Int32Array(256), endsFrom = 0, endsTop = 0;

function startGroups() {
  if (ends.length > 65536) ends = new Int32Array(256);
  endsFrom = endsTop = 0;
}

function group(start, end, tag) {
  // Groups are met in order, so what starts behind the last one is new.
  if (endsTop !== endsFrom && start <= ends[endsTop - 2]) {
    let a = endsFrom, b = endsTop;
    while (a < b) {
      const middle = ((a + b) >> 2) << 1;
      if (ends[middle] < start) a = middle + 2;
      else b = middle;
    }
    if (a < endsTop && ends[a] === start) {
      next = pastTag(ends[a + 1]);
      return ends[a + 1];
    }
  }
  if (endsTop + 2 > ends.length) {
    const more = new Int32Array(ends.length * 2);
    more.set(ends);
    ends = more;
  }
  const row = endsTop;
  endsTop += 2;
  ends[row] = start;
  const stop = skipGroup(start, end, tag);
  ends[row + 1] = stop;
  return stop;
}
`;
