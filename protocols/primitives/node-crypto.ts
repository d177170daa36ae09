/**
 * `node:crypto` where the runtime has it, else undefined (a browser). It is asked for at run time and not imported,
 * so that everything below `protocols/` loads wherever JavaScript runs.
 */
export const nodeCrypto: typeof import('node:crypto') | undefined =
  globalThis.process?.getBuiltinModule?.('node:crypto')
