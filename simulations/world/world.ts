import { seededRandom } from '../ports/seeded-random.ts'
import type { SeededRandom } from '../ports/seeded-random.ts'
import { currentProcess } from './simulated-process.ts'
import { VirtualTime } from './virtual-time.ts'

/** What the globals of the process are replaced with: one time and one source of randomness for all that runs in it. */
export interface World {
  readonly time: VirtualTime
  /** Of whatever belongs to no simulated process; libraries draw from it while they are loaded. */
  readonly random: SeededRandom
}

const turn = setImmediate

/** The one of this process. */
export const world: World = {
  time: new VirtualTime((done) => void turn(done)),
  random: seededRandom('world')
}

/** The randomness of the running code. */
export function currentRandom(): SeededRandom {
  return currentProcess()?.random ?? world.random
}
