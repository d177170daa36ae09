import { expect, test } from 'vitest'
import { seededRandom } from '../support/seeded-random.ts'
import { killAndLook } from './kill.ts'

const KILLS = 8
const SEED = 20_261_121

test(`a node that is killed ${KILLS} times in the midst of appends loses nothing that it acknowledged (seed ${SEED})`, async () => {
  expect(await killAndLook(KILLS, seededRandom(SEED))).toBeGreaterThan(KILLS * 10)
})
