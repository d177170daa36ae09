import { randomBytes } from 'node:crypto'

/** Randomness as a port, so that a simulation can draw all of it from one seed. */
export interface Random {
  /** `length` unpredictable bytes. */
  bytes(length: number): Uint8Array
  /** A number in [0, 1), for jitter and choice; not for secrets. */
  fraction(): number
}

/** The machine's own randomness. */
export const systemRandom: Random = {
  bytes: (length) => new Uint8Array(randomBytes(length)),
  fraction: () => Math.random()
}
