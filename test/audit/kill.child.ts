import { join } from 'node:path'
import { AuditLog } from '../../src/audit/audit-log.ts'
import { checkpointFile } from '../../src/log/checkpoint-file.ts'
import { openLevelStore } from '../../src/log/level-store.ts'
import { openLog } from '../../src/log/open-log.ts'
import { systemClock } from '../../src/platform/clock.ts'
import { silentLogger } from '../../src/platform/logger.ts'
import { systemRandom } from '../../src/platform/random.ts'

/**
 * A process for a test that kills it: `FOLDER FROM`. Records what it numbers, some at once, and prints each number on a
 * line as soon as it is durable.
 */
const [folder = '', from = '1'] = process.argv.slice(2)
const AT_ONCE = 7
const checkpoint = checkpointFile(join(folder, 'store.json'))
const create = (await checkpoint.read()) === null
const store = await openLevelStore(join(folder, 'store'), { create })
const ports = { store, clock: systemClock, random: systemRandom, logger: silentLogger }
const log = await openLog({ ...ports, checkpoint })
const retention = { retentionMs: 86_400_000, maxRecords: 1_000 }
const audit = await AuditLog.open({ ...ports, log, retention })
for (let next = Number(from); ; next += AT_ONCE) {
  for (let index = 0; index < AT_ONCE; index += 1)
    audit.record({ action: 'KEY_ADDED', actor: 'node', subject: String(next + index), outcome: 'ok', code: null })
  await audit.flushed()
  for (let index = 0; index < AT_ONCE; index += 1) process.stdout.write(`${next + index}\n`)
}
