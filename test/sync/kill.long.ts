import { expect, test } from 'vitest'
import { seededRandom } from '../../simulations/ports/seeded-random.ts'
import { killWhileSyncing } from './kill.ts'

const FOLDERS = 10
const KILLS_OF_FOLDER = 20
const seed = process.env['ANCHORMESH_SEED'] ?? String(Date.now())

test(`nodes on ${FOLDERS} folders, each killed ${KILLS_OF_FOLDER} times while it syncs (ANCHORMESH_SEED=${seed})`, async () => {
  const random = seededRandom(seed)
  let inTheMidst = 0
  for (let folder = 0; folder < FOLDERS; folder += 1) inTheMidst += await killWhileSyncing(KILLS_OF_FOLDER, random)
  expect(inTheMidst).toBeGreaterThan((FOLDERS * KILLS_OF_FOLDER) / 2)
})
