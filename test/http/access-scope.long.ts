import * as fc from 'fast-check'
import { test } from 'vitest'
import { showsNoMore } from '../access/scope-property.ts'

test('a reader with a token is answered what a node would answer that holds no more, whatever happened', async () => {
  await fc.assert(showsNoMore, { numRuns: 60 })
})
