/**
 * Allow and deny rules over callers, methods, metadata and typed message fields.
 *
 * @packageDocumentation
 */
export {};
