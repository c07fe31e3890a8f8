/** A name of the DOM that the typings of connect-es use and those of Node do not have. */
declare global {
  type HeadersInit = ConstructorParameters<typeof Headers>[0];
}

export {};
