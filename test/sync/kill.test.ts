import { expect, test } from 'vitest'
import { seededRandom } from '../../simulations/ports/seeded-random.ts'
import { killWhileSyncing } from './kill.ts'

/** Two at the same time, because a node that starts leaves a core idle. */
const FOLDERS = ['first', 'second']
const KILLS_OF_FOLDER = 4
const SEED = 'kill'

test(
  `two nodes, each killed ${KILLS_OF_FOLDER} times while it syncs, keep what they have logged, and the next session finishes (seed ${SEED})`,
  { timeout: 180_000 },
  async () => {
    // The rest came after the last event and before the node had noticed.
    const seeds = FOLDERS.map((folder) => seededRandom(SEED).fork(folder))
    const inTheMidst = await Promise.all(seeds.map((random) => killWhileSyncing(KILLS_OF_FOLDER, random)))
    for (const kills of inTheMidst) expect(kills).toBeGreaterThan(1)
  }
)
