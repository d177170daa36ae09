import fc from 'fast-check'
import type { SignedEvent } from '../../support/events.ts'

/** How a set of events comes in: numbers that decide the order, and how many come at a time. */
export interface Arrival {
  readonly priorities: readonly number[]
  readonly groups: readonly number[]
}

export const someArrival: fc.Arbitrary<Arrival> = fc.record({
  priorities: fc.array(fc.nat(1_000_000), { minLength: 1, maxLength: 60, size: 'max' }),
  groups: fc.array(fc.integer({ min: 1, max: 12 }), { minLength: 1, maxLength: 10 })
})

/** Any order in which each event comes after its predecessor, as a log has it, in groups. */
export function admissible(events: readonly SignedEvent[], { priorities, groups }: Arrival): SignedEvent[][] {
  const priorityOf = (index: number): number => priorities[index % priorities.length] ?? 0
  const waiting = events.map((event, index) => ({ event, priority: priorityOf(index), index }))
  const held = new Set<string>()
  const order: SignedEvent[] = []
  while (waiting.length > 0) {
    const ready = waiting.filter(({ event }) => event.envelope.prev === null || held.has(event.envelope.prev))
    const next = ready.toSorted((left, right) => left.priority - right.priority || left.index - right.index)[0]
    if (next === undefined) throw new Error('an event without its predecessor')
    waiting.splice(waiting.indexOf(next), 1)
    held.add(next.event.id)
    order.push(next.event)
  }
  return inGroups(order, groups)
}

/** Any order at all, with some events twice, in groups. */
export function shuffled(events: readonly SignedEvent[], { priorities, groups }: Arrival): SignedEvent[][] {
  const order = events
    .flatMap((event, index) => {
      const priority = priorities[index % priorities.length] ?? 0
      const copy = { event, priority: priorities[(index + 1) % priorities.length] ?? 0, index: index + 0.5 }
      return [{ event, priority, index }, ...(priority % 4 === 0 ? [copy] : [])]
    })
    .sort((left, right) => left.priority - right.priority || left.index - right.index)
  return inGroups(
    order.map(({ event }) => event),
    groups
  )
}

function inGroups<Item>(items: readonly Item[], sizes: readonly number[]): Item[][] {
  const groups: Item[][] = []
  for (let from = 0, turn = 0; from < items.length; turn += 1) {
    const size = sizes[turn % sizes.length] ?? 1
    groups.push(items.slice(from, from + size))
    from += size
  }
  return groups
}
