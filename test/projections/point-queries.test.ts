import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { JsonObject } from '../../protocols/canonical-json/v1/json.ts'
import { openMemoryStore } from '../../src/log/level-store.ts'
import { PROJECTIONS } from '../../src/projections/all.ts'
import type { FilterName, Projection } from '../../src/projections/projection.ts'
import type { ProjectionQuery, RowView } from '../../src/projections/query.ts'
import { queryRows } from '../../src/projections/query.ts'
import { generationPrefix, stateKey } from '../../src/projections/keys.ts'
import { placesOf } from '../../src/projections/row-places.ts'
import { rowsNow } from '../../src/projections/rows-of-moment.ts'
import type { ProjectionState } from '../../src/projections/state.ts'
import { listsOfState, rowsOfState } from '../../src/projections/state.ts'
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

/** Counts names that are of these parts. */
function keyed(key: readonly string[], listed?: number): Projection {
  const columns = ['name', 'count', 'version', 'logSeq', 'status']
  return {
    ...countingProjection({ name: 'owned' }),
    layout: { key, columns, ...(listed === undefined ? {} : { listed }) },
    filters: {
      batchId: (row, value) => partOf(row, key.indexOf('batchId')) === value,
      status: (row, value) => row['status'] === value
    }
  }
}

const owned = keyed(['namespace', 'owner', 'batchId'], 3)

const partOf = ({ name }: JsonObject, index: number): string => (name as string).split('!')[index] ?? ''

/** The ledger as somebody sees it who may see one namespace. */
function limited({ engine, store, log }: Ledger, namespace: string): Queried {
  const view: RowView = { prefixes: [`${namespace}!`], shows: (row) => partOf(row, 0) === namespace }
  return { query: (name, query) => queryRows(engine, store, log.epoch, name, query, view) }
}

describe.each([
  { keys: 'with the batch last', projection: owned },
  { keys: 'with more after the batch', projection: keyed(['namespace', 'owner', 'batchId', 'batchRoot'], 4) },
  {
    keys: 'with more after the batch than is listed',
    projection: keyed(['namespace', 'owner', 'batchId', 'signer'], 3)
  },
  { keys: 'with the batch first', projection: keyed(['namespace', 'batchId', 'owner']) },
  { keys: 'with the batch first, listed all the same', projection: keyed(['namespace', 'batchId', 'owner'], 3) }
])('a query of one batch in keys $keys', ({ projection }) => {
  const { key, listed } = projection.layout
  const batchPart = key.indexOf('batchId')
  // Names that begin alike, and with what sorts next to the separator.
  const partsOf: Readonly<Record<string, fc.Arbitrary<string>>> = {
    namespace: fc.constantFrom('dao:a', 'dao:ab', 'dao:b'),
    batchId: fc.constantFrom('b', 'b#', 'b-1', 'b-10', 'b-1.0', 'c')
  }
  const others = fc.constantFrom('o', 'o#', 'o-1', 'o-10', 'p')
  const name = fc.tuple(...key.map((field) => partsOf[field ?? ''] ?? others)).map((parts) => parts.join('!'))
  // What is listed is not deleted.
  const remove = listed === undefined ? fc.boolean() : fc.constant(false)

  test('finds what a walk through all rows finds, whatever the pages, positions and scopes', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.array(fc.record({ name, remove }), { maxLength: 8 }), { maxLength: 8 }),
        fc.integer({ min: 1, max: 3 }),
        fc.nat(64),
        async (groups, limit, back) => {
          const ledger = await openLedger({ policy: POLICY, projections: [projection] })
          for (const group of groups) await ledger.appendLocal(...group.map((one) => counted(one.name, one)))
          await ledger.caughtUp()
          for (const at of [undefined, Math.max(1, ledger.log.head.logSeq - back)]) {
            const moment = at === undefined ? {} : { at }
            const everything = await allRows(ledger, 'owned', moment)
            for (const batchId of ['b', 'b-1', 'b-10', 'none', 'o!b']) {
              const ofBatch = everything.filter((row) => partOf(row, batchPart) === batchId)
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
      { numRuns: 20 }
    )
  })
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
  // The state, the list of the batch, and a row for each owner.
  expect(reads.now).toBe(2 + owners)
})

test('where thousands own batches, none is left out', async () => {
  const ledger = await openLedger({ policy: POLICY, projections: [owned] })
  const names = Array.from({ length: 600 }, (_, owner) => `dao:a!o-${String(owner).padStart(4, '0')}`)
  await ledger.appendLocal(...names.flatMap((name) => [counted(`${name}!b-1`), counted(`${name}!b-10`)]))
  await ledger.caughtUp()
  const rows = await allRows(ledger, 'owned', { namespace: 'dao:a', batchId: 'b-1', limit: 7 })
  expect(rows.map((row) => row['name'])).toEqual(names.map((name) => `${name}!b-1`))
})

test('of a batch with more rows than are listed those are looked at that stand together', async () => {
  const reads = { now: 0 }
  const store = watchedStore(await openMemoryStore(), { onRead: () => void (reads.now += 1) })
  const together = keyed(['namespace', 'batchId', 'owner'], 3)
  const ledger = await openLedger({ store, policy: POLICY, projections: [together] })
  const owners = 80
  for (const batch of ['b-0', 'b-1', 'b-2'])
    await ledger.appendLocal(...Array.from({ length: owners }, (_, owner) => counted(`dao:a!${batch}!o-${owner}`)))
  await ledger.caughtUp()
  reads.now = 0
  const page = await ledger.query('owned', { namespace: 'dao:a', batchId: 'b-1' })
  expect(page.rows).toHaveLength(owners)
  // The state and the list of the batch come before.
  expect(reads.now).toBe(2 + owners)
})

test('what is listed by batch stays', async () => {
  const ledger = await openLedger({ policy: POLICY, projections: [owned] })
  await ledger.appendLocal(counted('dao:a!o!b'), counted('dao:a!o!b', { remove: true }))
  await expect(ledger.caughtUp()).rejects.toMatchObject({ code: 'PROJECTION_HALTED' })
})

/** A store with one namespace of `owned`, in which everything says how often it was folded. */
class FoldedStore {
  readonly #values = new Map<string, string>()
  state: ProjectionState = { version: 1, generation: 0, cursor: 0, journalFrom: 0, journalGeneration: 0 }

  /** One batch of the fold: rows of two owners. `anew`: into another generation, which is used from then on. */
  fold(anew: boolean): void {
    const { generation, cursor } = this.state
    this.state = { ...this.state, generation: generation + Number(anew), cursor: cursor + Number(!anew) }
    const packed = ['name', this.state.generation, 1, this.state.cursor, 'odd']
    for (const owner of ['o', 'p'])
      this.#values.set(`${rowsOfState('owned', this.state)}dao:a!${owner}!b`, JSON.stringify(packed))
    this.#values.set(`${listsOfState('owned', this.state)}dao:a!b`, JSON.stringify(['o', 'p']))
    this.#values.set(stateKey('owned'), JSON.stringify(this.state))
    if (!anew) return
    for (const key of this.#values.keys())
      if (key.startsWith(generationPrefix('owned', generation))) this.#values.delete(key)
  }

  get(key: string): Uint8Array | undefined {
    const text = this.#values.get(key)
    return text === undefined ? undefined : Buffer.from(text)
  }
}

test('what is read without a snapshot is of one moment, or nothing, whenever another thread writes', () => {
  fc.assert(
    fc.property(
      fc.array(fc.boolean(), { maxLength: 3 }),
      // Before which reads, the first is 0, something is folded.
      fc.array(fc.tuple(fc.nat(4), fc.boolean()), { maxLength: 3 }),
      (before, between) => {
        const store = new FoldedStore()
        for (const anew of before) store.fold(anew)
        const known = store.state
        let reads = 0
        const getNow = (key: string): Uint8Array | undefined => {
          for (const [read, anew] of between) if (read === reads) store.fold(anew)
          reads += 1
          return store.get(key)
        }
        const places = placesOf(owned.layout, 'dao:a!', { batchId: 'b' })
        const entries = rowsNow(places, { projection: owned, state: known }, { getNow }, undefined)
        // Only after its last read may something have come unnoticed.
        const isDisturbed = between.some(([read]) => read < reads)
        if (isDisturbed) expect(entries).toBeNull()
        else {
          expect(entries).toHaveLength(before.length === 0 ? 0 : 2)
          for (const [, row] of entries ?? [])
            expect(row).toMatchObject({ count: known.generation, logSeq: known.cursor })
        }
      }
    )
  )
})
