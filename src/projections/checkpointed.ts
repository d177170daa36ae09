import type { CheckpointReading } from '../../protocols/event/v1/checkpoint.ts'
import { CHECKPOINT_TYPE, parseCheckpointBody } from '../../protocols/event/v1/checkpoint.ts'
import type { AlarmCode } from '../../protocols/checkpoint/v1/judge.ts'
import type { VerifiedEvent } from '../events/verified.ts'
import type { LoggedRecord, SharedRecord } from '../log/log-reader.ts'
import { TRUST_NAMESPACE } from '../policy/names.ts'

/** A checkpoint that contradicts another of the same log; both events are the evidence. */
export type CheckpointAlarm = {
  readonly code: AlarmCode
  /** The event of the checkpoint, and that of the one which it contradicts. */
  readonly event: string
  readonly against: string
  /** The position of the first in its chain; `null` where both go on from one checkpoint, or from none. */
  readonly authorSeq: number | null
}

/** The newest checkpoint under one key. */
export type CheckpointRow = {
  readonly signer: string
  readonly kid: string
  readonly epoch: string
  readonly size: number
  readonly root: string
  readonly eventId: string
  readonly authorSeq: number
  /** When the signer says it was made; milliseconds since 1970. */
  readonly ts: number
  /** How many there are, the other sides of forks included. */
  readonly checkpoints: number
  /** How many of them were not judged, because a checkpoint before them is not held here. */
  readonly unlinked: number
  /** What the newest restore went on from, and the event that says so. */
  readonly restoredFrom: {
    readonly epoch: string
    readonly size: number
    readonly event: string
    readonly authorSeq: number
  } | null
  /** The one furthest along the chain. It stays: evidence does not expire. */
  readonly alarm: CheckpointAlarm | null
}

/** The folds that ask share the reading. */
const readings = new WeakMap<VerifiedEvent, CheckpointReading>()

/** Whether the record is a checkpoint, whatever its body. */
export function isCheckpoint(record: LoggedRecord): record is SharedRecord {
  if (record.scope === 'local') return false
  const { type, namespace } = record.event.envelope
  return type === CHECKPOINT_TYPE && namespace === TRUST_NAMESPACE
}

/** The body of a record that `isCheckpoint`. */
export function checkpointReadingIn({ event }: SharedRecord): CheckpointReading {
  const known = readings.get(event)
  if (known !== undefined) return known
  const reading = parseCheckpointBody(event.envelope.body)
  readings.set(event, reading)
  return reading
}

/** Where the row of a key's log stands. */
export const checkpointKey = (signer: string, kid: string): string => `${signer}!${kid}`
