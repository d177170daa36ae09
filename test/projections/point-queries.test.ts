import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { JsonObject } from '../../protocols/canonical-json/v1/json.ts'
import { openMemoryStore } from '../../src/log/level-store.ts'
import { PROJECTIONS } from '../../src/projections/all.ts'
import type { FilterName, Projection } from '../../src/projections/projection.ts'
import type { ProjectionQuery, RowView } from '../../src/projections/query.ts'
import { queryRows } from '../../src/projections/query.ts'
import { NAMESPACE, policyOf } from '../support/identities.ts'
import { counted, countingProjection } from './support/counting.ts'
import type { Ledger, Queried } from './support/ledger.ts'
import { allRows, openLedger, policyEntry, sharedEntry } from './support/ledger.ts'
import { admissible, someArrival } from './support/order.ts'
import { chosenPolicy, somePolicy } from './support/policies.ts'
import { watchedStore } from './support/stores.ts'
import { someVerdicts, withVerdicts } from './support/verdicts.ts'
import { ALICE, EVERYBODY, OTHER_NAMESPACE, eventsOf, someActs } from './support/world.ts'

const POLICY = policyOf(ALICE, EVERYBODY, { namespaces: [NAMESPACE, OTHER_NAMESPACE] })

/** Counts names `<namespace>!<owner>!<batchId>`, and says what the parts of its keys are. */
const owned: Projection = {
  ...countingProjection({ name: 'owned' }),
  layout: { key: ['namespace', 'owner', 'batchId'], columns: ['name', 'count', 'version', 'logSeq', 'status'] },
  filters: {
    batchId: (row, value) => partOf(row, 2) === value,
    status: (row, value) => row['status'] === value
  }
}

const partOf = ({ name }: JsonObject, index: number): string => (name as string).split('!')[index] ?? ''

/** The ledger as somebody sees it who may see one namespace. */
function limited({ engine, store, log }: Ledger, namespace: string): Queried {
  const view: RowView = { prefixes: [`${namespace}!`], shows: (row) => partOf(row, 0) === namespace }
  return { query: (name, query) => queryRows(engine, store, log.epoch, name, query, view) }
}

test('a query of one batch finds what a walk through all rows finds, whatever the pages, positions and scopes', async () => {
  // Names that begin alike, and with what sorts next to the separator.
  const name = fc
    .tuple(
      fc.constantFrom('dao:a', 'dao:ab', 'dao:b'),
      fc.constantFrom('o', 'o#', 'o-1', 'o-10', 'p'),
      fc.constantFrom('b', 'b#', 'b-1', 'b-10', 'b-1.0', 'c')
    )
    .map((parts) => parts.join('!'))
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.array(fc.record({ name, remove: fc.boolean() }), { maxLength: 8 }), { maxLength: 8 }),
      fc.integer({ min: 1, max: 3 }),
      fc.nat(64),
      async (groups, limit, back) => {
        const ledger = await openLedger({ policy: POLICY, projections: [owned] })
        for (const group of groups)
          await ledger.appendLocal(...group.map(({ name: named, remove }) => counted(named, { remove })))
        await ledger.caughtUp()
        for (const at of [undefined, Math.max(1, ledger.log.head.logSeq - back)]) {
          const moment = at === undefined ? {} : { at }
          const everything = await allRows(ledger, 'owned', moment)
          for (const batchId of ['b', 'b-1', 'b-10', 'none', 'o!b']) {
            const ofBatch = everything.filter((row) => partOf(row, 2) === batchId)
            const ofNamespace = ofBatch.filter((row) => partOf(row, 0) === 'dao:a')
            const asked = { batchId, limit, ...moment }
            expect(await allRows(ledger, 'owned', asked)).toEqual(ofBatch)
            expect(await allRows(ledger, 'owned', { ...asked, namespace: 'dao:a' })).toEqual(ofNamespace)
            expect(await allRows(limited(ledger, 'dao:a'), 'owned', asked)).toEqual(ofNamespace)
          }
        }
        await ledger.close()
      }
    ),
    { numRuns: 40 }
  )
})

test('every projection answers a query of some batch and signer as if it had looked at all rows', async () => {
  await fc.assert(
    fc.asyncProperty(someActs(24), someArrival, someVerdicts, somePolicy, async (acts, arrival, verdicts, choice) => {
      const events = await eventsOf(acts)
      const ledger = await openLedger({ policy: POLICY })
      const groups = admissible(events, arrival).map((group) => group.map(sharedEntry))
      for (const group of withVerdicts(groups, verdicts)) await ledger.log.append(group)
      const at = ledger.log.head.logSeq
      await ledger.log.append([policyEntry(chosenPolicy(choice, events))])
      await ledger.caughtUp()
      for (const projection of PROJECTIONS) {
        for (const moment of [{}, { at }]) {
          const rows = await allRows(ledger, projection.name, moment)
          for (const query of queriesOf(projection)) {
            const found = await allRows(ledger, projection.name, { ...query, ...moment, limit: 2 })
            expect(found, `${projection.name} ${JSON.stringify({ ...query, ...moment })}`).toEqual(
              rows.filter((row) => passes(projection, row, query))
            )
          }
        }
      }
      await ledger.close()
    }),
    { numRuns: 8 }
  )
})

function queriesOf(projection: Projection): readonly ProjectionQuery[] {
  const { filters } = projection
  const namespaces = projection.namespacePrefix('a') === null ? [{}] : [{}, { namespace: NAMESPACE }]
  const batches = filters.batchId === undefined ? [] : [{ batchId: 'batch-0' }, { batchId: 'batch-1' }]
  const signer = ALICE.signer.did
  const signers = filters.signer === undefined ? [] : [{ signer }]
  const both = batches.length > 0 && signers.length > 0 ? [{ batchId: 'batch-1', signer }] : []
  return namespaces.flatMap((one) => [...batches, ...signers, ...both].map((other) => ({ ...one, ...other })))
}

function passes({ filters }: Projection, row: JsonObject, { namespace, ...asked }: ProjectionQuery): boolean {
  const fits = (filter: string, value: string): boolean => filters[filter as FilterName]?.(row, value) ?? false
  return (
    (namespace ?? row['namespace']) === row['namespace'] &&
    Object.entries(asked).every(([filter, value]) => fits(filter, value as string))
  )
}

test('a query of one batch looks at its rows, not at those of the namespace', async () => {
  const reads = { now: 0 }
  const store = watchedStore(await openMemoryStore(), { onRead: () => void (reads.now += 1) })
  const ledger = await openLedger({ store, policy: POLICY, projections: [owned] })
  const owners = 20
  for (let batch = 0; batch < 200; batch += 1)
    await ledger.appendLocal(...Array.from({ length: owners }, (_, owner) => counted(`dao:a!o-${owner}!b-${batch}`)))
  await ledger.caughtUp()
  reads.now = 0
  const page = await ledger.query('owned', { namespace: 'dao:a', batchId: 'b-7' })
  expect(page.rows).toHaveLength(owners)
  // The state, and for each owner where it begins and its row.
  expect(reads.now).toBeLessThanOrEqual(1 + 2 * owners)
})

test('where thousands own batches, none is left out', async () => {
  const ledger = await openLedger({ policy: POLICY, projections: [owned] })
  const names = Array.from({ length: 600 }, (_, owner) => `dao:a!o-${String(owner).padStart(4, '0')}`)
  await ledger.appendLocal(...names.flatMap((name) => [counted(`${name}!b-1`), counted(`${name}!b-10`)]))
  await ledger.caughtUp()
  const rows = await allRows(ledger, 'owned', { namespace: 'dao:a', batchId: 'b-1', limit: 7 })
  expect(rows.map((row) => row['name'])).toEqual(names.map((name) => `${name}!b-1`))
})
