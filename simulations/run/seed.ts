import { inspect } from 'node:util'
import { AnchormeshError } from '../../src/platform/errors.ts'

/** A seed: it names folders, too. */
export const SEED_PATTERN = /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/

/** Throws `USAGE` where it is none: a program in JavaScript may give anything. */
export function assertSeed(seed: unknown): void {
  if (typeof seed === 'string' && SEED_PATTERN.test(seed)) return
  throw new AnchormeshError('USAGE', `${inspect(seed)} is no seed`, {
    hint: 'A seed is a string of letters, digits, . _ and -, at most 64, and begins with a letter or digit.'
  })
}
