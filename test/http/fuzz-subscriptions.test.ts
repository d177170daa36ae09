import { expect, test } from 'vitest'
import { fuzzSubscriptions } from './support/fuzzed-subscriptions.ts'

test('300 requests for subscriptions, broken in every way: no 500, no frame out of order, and nobody is left', async () => {
  const statuses = await fuzzSubscriptions(300, 6)
  // Or the corpus tries nothing.
  for (const status of [101, 200, 400, 403, 404]) expect(statuses.get(status) ?? 0, `${status}`).toBeGreaterThan(2)
})
