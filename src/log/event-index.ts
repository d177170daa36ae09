import type { VerifiedEvent } from '../events/verified.ts'
import { AnchormeshError } from '../platform/errors.ts'
import { chainRunKey, idKey, tipKey } from './keys.ts'
import { writeNumber } from './record.ts'
import type { WriteOperation } from './store.ts'

/** Where an event stands: in the log, and in its chain. */
export interface EventPosition {
  readonly logSeq: number
  readonly authorSeq: number
  /** The event's own `ts`, against which a successor's is held. */
  readonly ts: number
  readonly chain: string
}

interface Run {
  readonly chain: string
  readonly firstAuthorSeq: number
  lastId: string
  readonly logSeqs: number[]
}

/**
 * Collects the index entries of one group of appended events. Runs of consecutive events of a chain become one
 * entry of the chain index and one tip, however many they are.
 */
export class IndexWriter {
  readonly addedByNamespace = new Map<string, number>()
  readonly #operations: WriteOperation[] = []
  readonly #runs: Run[] = []
  readonly #runByTip = new Map<string, Run>()
  readonly #tips = new Map<string, Uint8Array>()
  readonly #followed = new Set<string>()

  add(logSeq: number, event: VerifiedEvent): void {
    const { chain } = event
    const { namespace, authorSeq, prev, ts } = event.envelope
    this.#operations.push({
      type: 'put',
      key: idKey(event.id),
      value: encodePosition({ logSeq, authorSeq, ts, chain })
    })
    this.addedByNamespace.set(namespace, (this.addedByNamespace.get(namespace) ?? 0) + 1)
    const run = prev === null ? undefined : this.#runByTip.get(prev)
    if (run === undefined) {
      const started = { chain, firstAuthorSeq: authorSeq, lastId: event.id, logSeqs: [logSeq] }
      this.#runs.push(started)
      this.#runByTip.set(event.id, started)
    } else {
      this.#runByTip.delete(run.lastId)
      run.lastId = event.id
      run.logSeqs.push(logSeq)
      this.#runByTip.set(event.id, run)
    }
    if (prev !== null) {
      const before = tipKey(namespace, chain, prev)
      if (!this.#tips.delete(before)) this.#followed.add(before)
    }
    this.#tips.set(tipKey(namespace, chain, event.id), encodeTip({ authorSeq, logSeq }))
  }

  operations(): WriteOperation[] {
    for (const run of this.#runs) {
      const firstLogSeq = run.logSeqs[0] ?? 0
      this.#operations.push({
        type: 'put',
        key: chainRunKey(run.chain, run.firstAuthorSeq, firstLogSeq),
        value: encodeRun(run.logSeqs)
      })
    }
    for (const key of this.#followed) this.#operations.push({ type: 'del', key })
    for (const [key, value] of this.#tips) this.#operations.push({ type: 'put', key, value })
    return this.#operations
  }
}

/** The position that an event has, or will have, in the log. */
export function positionOf({ envelope, chain }: VerifiedEvent, logSeq: number): EventPosition {
  const { authorSeq, ts } = envelope
  return { logSeq, authorSeq, ts, chain }
}

const POSITION_BYTES = 56

/** `logSeq`, `authorSeq`, `ts` (8 bytes each, big-endian) and the chain's hash (32). */
export function encodePosition(position: EventPosition): Uint8Array {
  const bytes = Buffer.allocUnsafe(POSITION_BYTES)
  writeNumber(bytes, position.logSeq, 0)
  writeNumber(bytes, position.authorSeq, 8)
  writeNumber(bytes, position.ts, 16)
  bytes.write(position.chain, 24, 'hex')
  return bytes
}

/** Throws `STORE_CORRUPT` for bytes that are no position. */
export function decodePosition(bytes: Uint8Array): EventPosition {
  if (bytes.length !== POSITION_BYTES)
    throw new AnchormeshError('STORE_CORRUPT', `an entry of the id index has ${bytes.length} bytes`)
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  return {
    logSeq: Number(buffer.readBigUInt64BE(0)),
    authorSeq: Number(buffer.readBigUInt64BE(8)),
    ts: Number(buffer.readBigUInt64BE(16)),
    chain: buffer.toString('hex', 24, 56)
  }
}

export function encodeTip(tip: { readonly authorSeq: number; readonly logSeq: number }): Uint8Array {
  return encodeRun([tip.authorSeq, tip.logSeq])
}

export function decodeTip(bytes: Uint8Array): { readonly authorSeq: number; readonly logSeq: number } {
  const [authorSeq, logSeq] = decodeRun(bytes)
  if (authorSeq === undefined || logSeq === undefined)
    throw new AnchormeshError('STORE_CORRUPT', `a tip has ${bytes.length} bytes`)
  return { authorSeq, logSeq }
}

function encodeRun(numbers: readonly number[]): Uint8Array {
  const bytes = Buffer.allocUnsafe(numbers.length * 8)
  numbers.forEach((value, index) => writeNumber(bytes, value, index * 8))
  return bytes
}

export function decodeRun(bytes: Uint8Array): number[] {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  return Array.from({ length: Math.floor(buffer.length / 8) }, (_, index) => Number(buffer.readBigUInt64BE(index * 8)))
}
