/**
 * The number that the addon repeats (addon/glue/addon.cc). Raise both together whenever a native
 * function or its arguments change, so that an old binary is refused instead of misread.
 */
export const abi = 8;
