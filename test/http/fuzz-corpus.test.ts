import { expect, it } from 'vitest'
import { fuzz } from './support/fuzzed-node.ts'

it('answers 300 requests made from its own OpenAPI document as that says, and never with 500', async () => {
  const statuses = await fuzz(300, 6)
  // Or the corpus tries nothing.
  for (const status of [200, 400, 404]) expect(statuses.get(status) ?? 0).toBeGreaterThan(10)
})
