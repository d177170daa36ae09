import { expect, test } from 'vitest'
import type { VirtualClock } from '../../simulations/ports/virtual-clock.ts'
import { systemClock } from '../../src/platform/clock.ts'
import { PROJECTIONS } from '../../src/projections/all.ts'
import type { Projection } from '../../src/projections/projection.ts'
import { NO_KEYS } from '../../src/projections/projection.ts'
import { PLAIN_ROWS } from '../../src/projections/row-codec.ts'
import { announceBody } from '../support/events.ts'
import { policyOf } from '../support/identities.ts'
import { allRows, openLedger } from './support/ledger.ts'
import { OLD, Packs, chainOf, retired } from './support/rotation.ts'
import { ALICE, BERTA } from './support/world.ts'

const EVENTS = 600
const PACKS = 40

/** A projection that is folded anew with every pack that changes what counts, and says how many records it saw. */
function counting(): { readonly projection: Projection; readonly folded: () => number } {
  let folded = 0
  const projection: Projection = {
    name: 'counting',
    version: 1,
    layout: PLAIN_ROWS,
    dependsOnPolicy: false,
    dependsOnTrust: true,
    rowsChangeOften: false,
    namespacePrefix: () => null,
    filters: {},
    reads: () => NO_KEYS,
    fold: () => {
      folded += 1
      return undefined
    },
    shared: () => null
  }
  return { projection, folded: () => folded }
}

test('packs that each withdraw something in a burst are folded in together, and the last one holds', async () => {
  const { projection, folded } = counting()
  const ledger = await openLedger({
    policy: policyOf(ALICE, [ALICE, BERTA]),
    projections: [...PROJECTIONS, projection],
    // What is measured is how long folding takes.
    clock: systemClock as VirtualClock
  })
  const events = await chainOf(
    OLD,
    Array.from({ length: EVENTS }, (_, index) => announceBody(`batch-${index}`))
  )
  const packs = new Packs()
  const burst = [await packs.next()]
  for (let left = PACKS; left > 0; left -= 1) burst.push(await packs.next(retired(...events.slice(0, left))))
  await ledger.append(...events)
  await ledger.caughtUp()
  const before = folded()
  expect(before).toBeLessThan(2 * EVENTS)
  await ledger.append(...burst)
  await ledger.caughtUp()
  expect(folded() - before).toBeLessThan((PACKS / 4) * EVENTS)
  const cutOff = (await allRows(ledger, 'effects')).filter(({ effect }) => effect === 'KEY_CUT_OFF')
  expect(cutOff).toHaveLength(EVENTS - 1)
  await ledger.close()
})
