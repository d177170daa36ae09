import { expect, test } from 'vitest'
import { memoryCheckpoint } from '../../src/log/checkpoint-file.ts'
import { openMemoryStore } from '../../src/log/level-store.ts'
import { openLog } from '../../src/log/open-log.ts'
import { systemClock } from '../../src/platform/clock.ts'
import { silentLogger } from '../../src/platform/logger.ts'
import { systemRandom } from '../../src/platform/random.ts'
import { codeOf } from '../support/code-of.ts'

const PORTS = { clock: systemClock, logger: silentLogger, random: systemRandom }
const NEXT = 'ab'.repeat(8)

test('a store that was restored goes on in the epoch that store.json says, and remembers what it was restored from', async () => {
  const [store, checkpoint] = [await openMemoryStore(), memoryCheckpoint()]
  const { epoch, head } = await openLog({ ...PORTS, store, checkpoint })
  const written = await checkpoint.read()
  if (written === null) throw new Error('it is written at once')
  const restoredFrom = { epoch, size: head.logSeq, root: 'a'.repeat(64) }
  await checkpoint.write({ ...written, epoch: NEXT, restoredFrom })
  for (let start = 0; start < 2; start += 1) {
    const log = await openLog({ ...PORTS, store, checkpoint })
    expect([log.epoch, log.restoredFrom]).toEqual([NEXT, restoredFrom])
    await log.close()
    expect(await checkpoint.read()).toMatchObject({ epoch: NEXT, restoredFrom })
  }
})

test('a store of another epoch than store.json knows is still damage', async () => {
  const [store, checkpoint] = [await openMemoryStore(), memoryCheckpoint()]
  await openLog({ ...PORTS, store, checkpoint })
  const written = await checkpoint.read()
  if (written === null) throw new Error('it is written at once')
  const restoredFrom = { epoch: 'cd'.repeat(8), size: 0, root: 'a'.repeat(64) }
  for (const other of [
    { ...written, epoch: NEXT },
    { ...written, epoch: NEXT, restoredFrom }
  ]) {
    await checkpoint.write(other)
    expect(await openLog({ ...PORTS, store, checkpoint }).catch(codeOf)).toBe('STORE_CORRUPT')
  }
})
