import { expect, test } from 'vitest'
import { seededRandom } from '../../simulations/ports/seeded-random.ts'
import { killAndLook } from './kill.ts'

const KILLS = 8
const SEED = 'kill'

test(`a node that is killed ${KILLS} times in the midst of appends loses nothing that it acknowledged (seed ${SEED})`, async () => {
  expect(await killAndLook(KILLS, seededRandom(SEED))).toBeGreaterThan(KILLS * 10)
})
