import { test } from 'vitest'
import { seededRandom } from '../../simulations/ports/seeded-random.ts'
import { killTheApp } from './killed.ts'

test('an app that is killed 50 times during 5,000 events handles each at least once, in order', async () => {
  await killTheApp(5_000, 50, seededRandom('killed app'))
})
