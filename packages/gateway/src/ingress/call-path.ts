/** The path of a call: `/geo.v1.Geo/Nearest`. */

export interface CallPath {
  readonly service: string;
  readonly method: string;
}

const pattern = /^\/([A-Za-z_][A-Za-z0-9_.]{0,254})\/([A-Za-z_][A-Za-z0-9_]{0,254})$/;

/** Service and method of a path without its query; undefined for one that names no call. */
export function callPath(path: string): CallPath | undefined {
  const match = pattern.exec(path);
  return match === null ? undefined : { service: match[1]!, method: match[2]! };
}
