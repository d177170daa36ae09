import fc from 'fast-check'
import { expect, test } from 'vitest'
import { openMemoryStore } from '../../src/log/level-store.ts'
import { AnchormeshError } from '../../src/platform/errors.ts'
import { journalOperation, rowsBefore } from '../../src/projections/journal.ts'
import { PLAIN_ROWS } from '../../src/projections/row-codec.ts'

const PROJECTION = { name: 'rows', layout: PLAIN_ROWS }

test('a position since which too many rows have changed is refused with the oldest one that is not', async () => {
  const someChanges = fc.array(fc.array(fc.nat(9), { minLength: 1, maxLength: 3 }), { minLength: 1, maxLength: 12 })
  await fc.assert(
    fc.asyncProperty(someChanges, fc.integer({ min: 1, max: 8 }), async (positions, rowsMax) => {
      const store = await openMemoryStore()
      const changes = positions.map((keys, index) => keys.map((key) => [index + 1, `k${key}`, null] as const))
      await store.write(
        changes.map((ofPosition, index) => journalOperation('rows', index + 1, 0, ofPosition)),
        { sync: false }
      )
      const changedSince = (at: number): number => new Set(positions.slice(at).flat()).size
      const all = positions.map((_, at) => at)
      const oldest = all.find((at) => changedSince(at) <= rowsMax) ?? positions.length
      for (const at of all) {
        const told = await rowsBefore(store, PROJECTION, at, rowsMax).catch((error: unknown) => error)
        if (at >= oldest) expect(told).toMatchObject({ size: changedSince(at) })
        else {
          expect(told).toBeInstanceOf(AnchormeshError)
          expect(told).toMatchObject({ code: 'STATE_OUTDATED', detail: { oldest } })
        }
      }
      await store.close()
    })
  )
})
