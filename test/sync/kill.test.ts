import { expect, test } from 'vitest'
import { seededRandom } from '../../simulations/ports/seeded-random.ts'
import { killWhileSyncing } from './kill.ts'

/** One of each kind of moment; 200 kills of 20 nodes are in the long tests. */
const KILLS = 3
const SEED = 'kill'
/** Some twenty seconds, and a minute and a half on one core that others use; its last wait alone may take three minutes. */
const TIMEOUT_MS = 600_000

test(
  `a node that is killed ${KILLS} times while it syncs keeps what it has logged, and the next session finishes (seed ${SEED})`,
  async () => {
    // The rest came after the last event and before the node had noticed.
    expect(await killWhileSyncing(KILLS, seededRandom(SEED).fork('first'))).toBeGreaterThan(0)
  },
  TIMEOUT_MS
)
