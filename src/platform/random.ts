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

/** The elements in random order (Fisher and Yates), so that nobody is always asked first. */
export function shuffled<Element>(list: readonly Element[], random: Random): Element[] {
  const elements = [...list]
  for (let last = elements.length - 1; last > 0; last -= 1) {
    const chosen = Math.floor(random.fraction() * (last + 1))
    const moved = elements[chosen] as Element
    elements[chosen] = elements[last] as Element
    elements[last] = moved
  }
  return elements
}
