import { expect, test } from 'vitest'
import { seededRandom } from '../../simulations/ports/seeded-random.ts'
import { killWhileSyncing } from './kill.ts'

/** Each turn has two nodes at the same time, because a node that starts leaves a core idle. */
const TURNS = 10
const KILLS_OF_FOLDER = 10
const seed = process.env['ANCHORMESH_SEED'] ?? String(Date.now())

test(`${2 * TURNS} nodes, each killed ${KILLS_OF_FOLDER} times while it syncs, keep what they have logged (ANCHORMESH_SEED=${seed})`, async () => {
  let all = 0
  for (let turn = 0; turn < TURNS; turn += 1) {
    const seeds = ['first', 'second'].map((folder) => seededRandom(seed).fork(`${turn} ${folder}`))
    const inTheMidst = await Promise.all(seeds.map((random) => killWhileSyncing(KILLS_OF_FOLDER, random)))
    for (const kills of inTheMidst) all += kills
  }
  // How many of the kills of one folder come before all was moved is a matter of chance.
  expect(all).toBeGreaterThan(2 * TURNS)
})
