import fc from 'fast-check'
import { expect, test } from 'vitest'
import { policyOf } from '../support/identities.ts'
import { openLedger, sharedLines } from './support/ledger.ts'
import { expectedLines } from './support/model.ts'
import type { Arrival } from './support/order.ts'
import { admissible, someArrival } from './support/order.ts'
import type { SignedEvent } from '../support/events.ts'
import { NAMESPACE } from '../support/identities.ts'
import { ADAM, ALICE, BERTA, EVERYBODY, OTHER_NAMESPACE, eventsOf, someActs } from './support/world.ts'

const policy = policyOf(ALICE, EVERYBODY, { namespaces: [NAMESPACE, OTHER_NAMESPACE], announcers: [ALICE, ADAM, BERTA] })

async function fold(events: readonly SignedEvent[], arrival: Arrival) {
  const ledger = await openLedger({ policy })
  for (const group of admissible(events, arrival)) {
    await ledger.append(...group)
    if (group.length % 2 === 0) await ledger.caughtUp()
  }
  await ledger.caughtUp()
  const lines = await sharedLines(ledger)
  const digests = []
  for (const namespace of [NAMESPACE, OTHER_NAMESPACE, '_trust']) digests.push({ ...(await ledger.digest(namespace)), logSeq: 0 })
  const rebuilt = await ledger.engine.rebuild()
  await ledger.close()
  return { lines, digests, rebuilt }
}

test('whatever the order and the grouping, shared fields and digests are the same, a rebuild changes nothing, and both are what the set says', async () => {
  await fc.assert(
    fc.asyncProperty(someActs(40), someArrival, someArrival, async (acts, first, second) => {
      const events = await eventsOf(acts)
      const one = await fold(events, first)
      const other = await fold(events, second)
      expect(other.lines).toEqual(one.lines)
      expect(other.digests).toEqual(one.digests)
      expect([...one.rebuilt, ...other.rebuilt].filter(({ identical }) => !identical)).toEqual([])
      for (const [name, lines] of Object.entries(expectedLines(events, policy))) {
        const shown = (one.lines[name] ?? []).filter((line) => !line.includes('"packSeq":'))
        expect(shown.toSorted(), name).toEqual(lines)
      }
    }),
    { numRuns: 60 }
  )
})
