import { expect, test } from 'vitest'
import { seededRandom } from '../../simulations/ports/seeded-random.ts'
import { killAndLook } from './kill.ts'

const FOLDERS = 10
const KILLS_OF_FOLDER = 10
const seed = process.env['ANCHORMESH_SEED'] ?? String(Date.now())

test(`nodes on ${FOLDERS} folders, each killed ${KILLS_OF_FOLDER} times, lose nothing that they acknowledged (ANCHORMESH_SEED=${seed})`, async () => {
  const random = seededRandom(seed)
  let acknowledged = 0
  for (let folder = 0; folder < FOLDERS; folder += 1) acknowledged += await killAndLook(KILLS_OF_FOLDER, random)
  // Some 40 a kill; the few kills of one folder may all come early.
  expect(acknowledged).toBeGreaterThan(FOLDERS * KILLS_OF_FOLDER * 10)
})
