import { test } from 'vitest'
import { seededRandom } from '../../simulations/ports/seeded-random.ts'
import { eachPastState } from './support/past-states.ts'

test('the states at the last 1,000 positions are answered as they were, and one that is too old is refused', async () => {
  await eachPastState(1_000, seededRandom('past states'))
})
