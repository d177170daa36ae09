/** How often each of a closed set of things happened. */
export type Counts<Name extends string> = Readonly<Record<Name, number>>

/**
 * Counts things of a closed set, each of which stands there from the start: whoever watches a count wants to see that it
 * is 0, and names that come from elsewhere must not make it grow.
 */
export class Tally<Name extends string> {
  readonly #counts: Record<Name, number>

  /** `none`: every name, at 0. The type holds whoever adds a name to adding it here, too. */
  constructor(none: Counts<Name>) {
    this.#counts = { ...none }
  }

  add(name: Name): void {
    this.#counts[name] += 1
  }

  get counts(): Counts<Name> {
    return { ...this.#counts }
  }
}
