import { sortableNumber } from '../log/keys.ts'

/**
 * Where projections stand in the store: the state of each under `w!`, its data under `v!<name>!<generation>!` (a
 * rebuild writes the next generation beside the one in use, and swaps), its journal beside the generations.
 */

/** `w!<name>` → version, generation and cursor. */
export const stateKey = (projection: string): string => `w!${projection}`

export const dataPrefix = (projection: string): string => `v!${projection}!`
export const generationPrefix = (projection: string, generation: number): string =>
  `${dataPrefix(projection)}g${sortableNumber(generation)}!`
export const rowsPrefix = (generation: string): string => `${generation}r!`
export const listsPrefix = (generation: string): string => `${generation}b!`
export const factsPrefix = (generation: string): string => `${generation}x!`

export const journalPrefix = (projection: string): string => `${dataPrefix(projection)}j!`
/** Keyed by the last position that it covers; `part` tells several of one position apart. */
export const journalKey = (projection: string, logSeq: number, part: number): string =>
  `${journalPrefix(projection)}${sortableNumber(logSeq)}!${sortableNumber(part)}`
