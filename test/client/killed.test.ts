import { test } from 'vitest'
import { seededRandom } from '../../simulations/ports/seeded-random.ts'
import { killTheApp } from './killed.ts'

test('an app that is killed 3 times during 90 events handles each at least once, in order', async () => {
  await killTheApp(90, 3, seededRandom('killed app, few'))
})
