/** A value of one series. */
export interface Sample {
  readonly labels: Readonly<Record<string, string>>
  readonly value: number
}

/**
 * A metric that is read off a source at each exposition. `name` comes without the prefix `anchormesh_`; a counter's ends
 * in `_total`. Labels have values of closed sets, or names of namespaces that policy carries: never a DID or a PeerId.
 */
export interface MetricDefinition<Source> {
  readonly name: string
  readonly type: 'gauge' | 'counter'
  readonly help: string
  readonly labels: readonly string[]
  /** Every series that there can be, also those that are 0. */
  samples(source: Source): readonly Sample[]
}

export const MS_PER_SECOND = 1_000

/** A gauge of one series. */
export function gauge<Source>(name: string, help: string, read: (source: Source) => number): MetricDefinition<Source> {
  return { name, type: 'gauge', help, labels: [], samples: (source) => [{ labels: {}, value: read(source) }] }
}

/** A counter of one series. */
export function counter<Source>(
  name: string,
  help: string,
  read: (source: Source) => number
): MetricDefinition<Source> {
  return { ...gauge(name, help, read), type: 'counter' }
}

/** A counter with a series for each name of a closed set. */
export function countersBy<Source>(
  name: string,
  help: string,
  label: string,
  read: (source: Source) => Readonly<Record<string, number>>
): MetricDefinition<Source> {
  const samples = (source: Source): Sample[] =>
    Object.entries(read(source)).map(([one, value]) => ({ labels: { [label]: one }, value }))
  return { name, type: 'counter', help, labels: [label], samples }
}

/** A counter with a series for each pair of two closed sets. */
export function countersByBoth<Source>(
  name: string,
  help: string,
  [outer, inner]: readonly [string, string],
  read: (source: Source) => Readonly<Record<string, Readonly<Record<string, number>>>>
): MetricDefinition<Source> {
  const samples = (source: Source): Sample[] =>
    Object.entries(read(source)).flatMap(([group, counts]) =>
      Object.entries(counts).map(([one, value]) => ({ labels: { [outer]: group, [inner]: one }, value }))
    )
  return { name, type: 'counter', help, labels: [outer, inner], samples }
}
