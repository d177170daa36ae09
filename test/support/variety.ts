import fc from 'fast-check'
import { expect } from 'vitest'

/**
 * What there has to be among the cases of a property, without which they would show nothing: for each kind, how many cases
 * there must be at least.
 */
export class Variety<Kind extends string> {
  readonly #left: Map<Kind, number>

  constructor(least: Readonly<Record<Kind, number>>) {
    this.#left = new Map(Object.entries(least) as [Kind, number][])
  }

  /** Counts a case of the kind; none where it is not so. */
  saw(kind: Kind, isSo: boolean = true): void {
    if (isSo) this.#left.set(kind, (this.#left.get(kind) ?? 0) - 1)
  }

  /** The kinds of which there were too few. */
  get missing(): readonly Kind[] {
    return [...this.#left].filter(([, left]) => left > 0).map(([kind]) => kind)
  }
}

/**
 * Asserts the property for a portion of `numRuns` cases, and for further portions only until there was enough of every kind
 * in `variety`: a run in which a seldom kind happens to be missing is no failure, and no run needs the cases that would make
 * that unlikely. `portions` bounds it. It is such that with the shares measured, which are named where it is given, less
 * than one run in 10^9 misses a kind; so one that does has cases that have become poorer.
 */
export async function assertVaried<Case>(
  property: fc.IRawProperty<Case>,
  variety: Variety<string>,
  { portions, ...parameters }: fc.Parameters<Case> & { readonly numRuns: number; readonly portions: number }
): Promise<void> {
  await fc.assert(property, parameters)
  for (let portion = 1; portion < portions && variety.missing.length > 0; portion += 1)
    await fc.assert(property, { ...parameters, seed: portion })
  expect(variety.missing, `not among ${portions * parameters.numRuns} cases`).toEqual([])
}
