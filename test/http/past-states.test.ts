import { test } from 'vitest'
import { seededRandom } from '../../simulations/ports/seeded-random.ts'
import { eachPastState } from './support/past-states.ts'

test('the states at the last 24 positions are answered as they were, and one that is too old is refused', async () => {
  await eachPastState(24, seededRandom('past states, few'))
})
