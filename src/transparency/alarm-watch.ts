import type { AlarmCode } from '../../protocols/checkpoint/v1/judge.ts'
import { originOf } from '../../protocols/checkpoint/v1/note.ts'
import { toldAlarmKey } from '../log/keys.ts'
import type { AuditTrail } from '../platform/audit.ts'
import type { Clock } from '../platform/clock.ts'
import { messageOf } from '../platform/errors.ts'
import type { Logger } from '../platform/logger.ts'
import { TRUST_NAMESPACE } from '../policy/names.ts'
import type { CheckpointRow } from '../projections/checkpointed.ts'
import type { Signer } from '../trust/signer.ts'
import type { KeptPorts } from './kept-checkpoints.ts'
import { checkpointsFolded, keptCheckpoints, lastCheckpoint } from './kept-checkpoints.ts'
import { ownLogProblem } from './own-log.ts'

// An alarm is no less one for being told a moment later, and a burst of events is looked at once.
const LOOK_AFTER_MS = 500
// `status` is read by people; all of them are in the projection.
const WARNINGS_MAX = 8

export interface AlarmPorts extends KeptPorts {
  readonly signer: () => Signer
  readonly audit: AuditTrail
  readonly clock: Clock
  readonly logger: Logger
}

/**
 * Tells the operator when a checkpoint contradicts another of the same log: a line in the log and an audit record, once
 * for each, and a warning in `status` for good. It also holds this node's own log against its own newest checkpoint,
 * which its peers bring back if it was set back. Neither is a matter of health: the node does its work, and to stop
 * serving would take the evidence away.
 */
export class AlarmWatch {
  readonly #ports: AlarmPorts
  readonly #logged = new Set<string>()
  #stopFollowing: (() => void) | null = null
  #cancelLook: (() => void) | null = null
  #looking: Promise<void> = Promise.resolve()

  constructor(ports: AlarmPorts) {
    this.#ports = ports
  }

  /** Looks at what the log holds, and from now on at what it takes in. */
  start(): void {
    this.#stopFollowing = this.#ports.log.onAppended((records) => {
      const isTouched = records.some(
        (logged) => logged.scope === 'shared' && logged.event.envelope.namespace === TRUST_NAMESPACE
      )
      if (isTouched) this.#lookSoon()
    })
    this.#lookSoon()
  }

  async stop(): Promise<void> {
    this.#stopFollowing?.()
    this.#cancelLook?.()
    await this.#looking
  }

  /** What `status` warns of. */
  async warnings(): Promise<readonly string[]> {
    const found: string[] = []
    const own = await this.#ownProblem()
    if (own !== null) found.push(own)
    const unlinked: CheckpointRow[] = []
    let more = 0
    for await (const row of keptCheckpoints(this.#ports)) {
      if (row.unlinked > 0) unlinked.push(row)
      if (row.alarm === null) continue
      if (found.length < WARNINGS_MAX) found.push(this.#textOf(row, row.alarm))
      else more += 1
    }
    if (more > 0) found.push(`${more} more logs contradict their own checkpoints: anchormesh query checkpoints`)
    for (const { signer, kid, unlinked: count } of unlinked.slice(0, WARNINGS_MAX))
      found.push(
        `${count} checkpoints of ${signer} (kid ${kid}) go on from one that is not held here, and could not be checked yet`
      )
    return found
  }

  #lookSoon(): void {
    this.#cancelLook ??= this.#ports.clock.after(LOOK_AFTER_MS, () => {
      this.#cancelLook = null
      this.#looking = this.#look().catch((error: unknown) => {
        this.#ports.logger.warn({ reason: messageOf(error) }, 'the checkpoints could not be looked at')
      })
    })
  }

  async #look(): Promise<void> {
    const { logger } = this.#ports
    await checkpointsFolded(this.#ports)
    for await (const row of keptCheckpoints(this.#ports)) {
      if (row.alarm !== null) await this.#tell(row, row.alarm)
      if (row.restoredFrom !== null) this.#logOnce(row.restoredFrom.event, () => this.#logRestore(row))
    }
    const own = await this.#ownProblem()
    if (own !== null) this.#logOnce(own, () => logger.error({}, own))
  }

  #logOnce(name: string, tell: () => void): void {
    if (this.#logged.has(name)) return
    this.#logged.add(name)
    tell()
  }

  #logRestore({ signer, kid, restoredFrom, epoch }: CheckpointRow): void {
    this.#ports.logger.info(
      { signer, kid, restoredFrom, epoch },
      'a log goes on in a new epoch, restored from a backup'
    )
  }

  /** The line comes with each start, the audit record once. */
  async #tell(row: CheckpointRow, alarm: NonNullable<CheckpointRow['alarm']>): Promise<void> {
    const { audit, logger, store } = this.#ports
    const { signer, kid, epoch, size } = row
    const { code, event, against } = alarm
    const name = `${code} ${event} ${against}`
    this.#logOnce(name, () => logger.error({ signer, kid, code, event, against }, this.#textOf(row, alarm)))
    const key = toldAlarmKey(signer, kid)
    const told = await store.get(key)
    if (told !== undefined && Buffer.from(told).toString('utf8') === name) return
    const subject = originOf({ signer, kid })
    const detail = { event, against, epoch, size }
    audit.record({ action: 'LOG_CHECKPOINT_ALARM', actor: 'node', subject, outcome: 'failed', code, detail })
    await audit.flushed()
    await store.write([{ type: 'put', key, value: name }], { sync: false })
  }

  #textOf({ signer, kid }: CheckpointRow, { code, event, authorSeq }: NonNullable<CheckpointRow['alarm']>): string {
    const whose = signer === this.#ports.signer().did ? 'THIS node’s log' : `the log of ${signer} (kid ${kid})`
    const which = authorSeq === null ? `event ${event}` : `its event ${authorSeq} of ${TRUST_NAMESPACE}`
    return `${whose} ${DEEDS[code]} (${code}, ${which}): anchormesh query checkpoints`
  }

  /** How this node's log differs from what its own newest checkpoint says; `null` while its tree is being built. */
  async #ownProblem(): Promise<string | null> {
    const { log, signer } = this.#ports
    const { did, kid } = signer()
    const tree = log.tree.view
    if (tree === null) return null
    const newest = await lastCheckpoint(this.#ports, { signer: did, kid })
    if (newest === null) return null
    const { eventId: event, epoch, size, root } = newest
    const own = { epoch: log.epoch, restoredFrom: log.restoredFrom, tree }
    const code = await ownLogProblem(own, { epoch, size, root })
    if (code === null) return null
    const hint =
      'was the data folder replaced by a copy? `anchormesh restore` begins a new epoch, and neighbours raise no alarm'
    return `THIS node’s log ${DEEDS[code]} (${code}): its checkpoint ${event} speaks of ${size} records; ${hint}`
  }
}

const DEEDS: Readonly<Record<AlarmCode, string>> = {
  LOG_ROLLED_BACK: 'was rolled back',
  LOG_REWRITTEN: 'was rewritten',
  LOG_FORKED: 'has two checkpoints in one place',
  EPOCH_UNEXPLAINED: 'began anew without saying what it goes on from'
}
