import { expect } from 'vitest'
import { seededRandom } from '../../simulations/ports/seeded-random.ts'
import type { AuditRecord } from '../../protocols/audit/v1/record.ts'
import { AuditLog } from '../../src/audit/audit-log.ts'
import { listRecords } from '../../src/audit/list-records.ts'
import type { Retention } from '../../src/audit/retention.ts'
import { verifyAudit } from '../../src/audit/verify.ts'
import { memoryCheckpoint } from '../../src/log/checkpoint-file.ts'
import type { EventLog } from '../../src/log/event-log.ts'
import { openMemoryStore } from '../../src/log/level-store.ts'
import { openLog } from '../../src/log/open-log.ts'
import type { Store } from '../../src/log/store.ts'
import type { AuditEntry } from '../../src/platform/audit.ts'
import type { Clock } from '../../src/platform/clock.ts'
import { silentLogger } from '../../src/platform/logger.ts'
import type { HandClock } from '../support/hand-clock.ts'
import { createHandClock } from '../support/hand-clock.ts'
import type { LogLine } from '../support/recording-logger.ts'
import { recordingLogger } from '../support/recording-logger.ts'

/** An audit log with what it stands on. */
export interface TestAudit {
  readonly audit: AuditLog
  readonly log: EventLog
  readonly store: Store
  readonly clock: HandClock
  readonly lines: LogLine[]
}

export const YEAR: Retention = { retentionMs: 365 * 86_400_000, maxRecords: 1_000_000 }

/** Opens one, in memory unless a store is given. */
export async function openTestAudit(
  options: { store?: Store; clock?: HandClock; retention?: Retention } = {}
): Promise<TestAudit> {
  const { store = await openMemoryStore(), clock = createHandClock(), retention = YEAR } = options
  const lines: LogLine[] = []
  const logger = recordingLogger(lines)
  const random = seededRandom('audit')
  const log = await openLog({ store, clock, logger: silentLogger, random, checkpoint: memoryCheckpoint() })
  const audit = await AuditLog.open({ store, log, clock, random, logger, retention })
  return { audit, log, store, clock, lines }
}

/** Something that happened. */
export function entryOf(subject: string, more: Partial<AuditEntry> = {}): AuditEntry {
  return { action: 'ADMIN_CALL', actor: 'operator', subject, outcome: 'ok', code: null, ...more }
}

export async function recordsOf({ audit, store }: Pick<TestAudit, 'audit' | 'store'>): Promise<AuditRecord[]> {
  return await Array.fromAsync(listRecords({ log: audit, store, logger: silentLogger }, {}))
}

export async function subjectsOf(opened: Pick<TestAudit, 'audit' | 'store'>): Promise<string[]> {
  return (await recordsOf(opened)).map(({ subject }) => subject)
}

export async function expectIntact(store: Store): Promise<void> {
  expect(await verifyAudit(store)).toMatchObject({ ok: true, problems: [] })
}

/** Waits for something that a real part brings about, a minute at the least. */
export async function eventually(holds: () => boolean | Promise<boolean>, clock: Clock): Promise<void> {
  for (let tries = 0; tries < 12_000; tries += 1) {
    if (await holds()) return
    await clock.sleep(5)
  }
  throw new Error('it did not come about')
}
