import { SimulatedDisk } from '../../../simulations/disk/simulated-disk.ts'
import type { OpenDisk, SimulatedDiskOptions } from '../../../simulations/disk/simulated-disk.ts'
import { TextPool } from '../../../simulations/disk/text-pool.ts'
import { seededRandom } from '../../../simulations/ports/seeded-random.ts'
import { SimulatedProcess } from '../../../simulations/world/simulated-process.ts'

/** A disk whose syncs are done when a test says so. */
export interface HandDisk {
  readonly disk: SimulatedDisk
  /** Opens it for a process of its own. */
  open(): OpenDisk
  /** Syncs that wait end now, and those that follow from them. */
  sync(): Promise<void>
  readonly safe: string[]
}

export function handDisk(seed: string, options: Partial<SimulatedDiskOptions> = {}): HandDisk {
  let due: (() => void)[] = []
  let process = new SimulatedProcess('boot', seededRandom(seed))
  const safe: string[] = []
  const disk = new SimulatedDisk({
    time: {
      afterUs: (_delayUs, owner, run) => {
        due.push(() => owner?.happens(run))
        return () => {}
      }
    },
    random: seededRandom(seed),
    syncMs: () => 1,
    torn: 0.5,
    pool: new TextPool(),
    onSafe: (id) => safe.push(id),
    ...options
  })
  return {
    disk,
    safe,
    open() {
      process.kill()
      due = []
      process = new SimulatedProcess('boot', seededRandom(seed))
      return disk.open(process)
    },
    async sync() {
      while (due.length > 0) {
        for (const run of due.splice(0)) run()
        await Promise.resolve()
      }
    }
  }
}
