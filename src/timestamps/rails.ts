import type { Counts } from '../platform/tally.ts'
import { Tally } from '../platform/tally.ts'

/** What the id of every chain begins with, strongest first. */
export const RAILS = ['btc', 'eip155', 'rfc3161'] as const
export type Rail = (typeof RAILS)[number]

/** The rail of a chain. Throws for an id that is on none: no such evidence is taken in. */
export function railOf(chainId: string): Rail {
  const rail = RAILS.find((name) => chainId.startsWith(`${name}:`))
  if (rail === undefined) throw new Error(`${chainId} is on no rail`)
  return rail
}

/** Counts of one rail each. */
export type RailCounts<Name extends string> = Readonly<Record<Rail, Counts<Name>>>

/** Counts things of a closed set by the rail of the chain that they happened on. */
export class RailTally<Name extends string> {
  readonly #rails: Readonly<Record<Rail, Tally<Name>>>

  constructor(none: Counts<Name>) {
    this.#rails = { btc: new Tally(none), eip155: new Tally(none), rfc3161: new Tally(none) }
  }

  add(chainId: string, name: Name): void {
    this.#rails[railOf(chainId)].add(name)
  }

  get counts(): RailCounts<Name> {
    const { btc, eip155, rfc3161 } = this.#rails
    return { btc: btc.counts, eip155: eip155.counts, rfc3161: rfc3161.counts }
  }
}
