/** What an attached app costs the daemon of what the kernel limits: for its own check, and for koalactl's. */

/**
 * Of an app that has got a message: control channel twice, doorbells, the region of rings and send heap, the
 * first receive region. One that never got any has one less; each further region of a heap is one more.
 */
export const descriptorsPerApp = 6;
/** Its regions. */
export const mappingsPerApp = 2;
