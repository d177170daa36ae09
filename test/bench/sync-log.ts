import { mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { encodeEvent, eventIdOfWire } from '../../protocols/event/v1/codec.ts'
import { utf8 } from '../../protocols/primitives/bytes.ts'
import { chainIdOf } from '../../src/events/chain.ts'
import type { VerifiedEvent } from '../../src/events/verified.ts'
import { memoryCheckpoint } from '../../src/log/checkpoint-file.ts'
import type { Predecessor } from '../../src/log/event-index.ts'
import { IndexWriter } from '../../src/log/event-index.ts'
import type { EventLog } from '../../src/log/event-log.ts'
import { namespaceCountKey, recordKey } from '../../src/log/keys.ts'
import { openLevelStore } from '../../src/log/level-store.ts'
import { openLog } from '../../src/log/open-log.ts'
import { GENESIS_HASH, sealRecord } from '../../src/log/record.ts'
import type { Store, WriteOperation } from '../../src/log/store.ts'
import { systemClock } from '../../src/platform/clock.ts'
import { silentLogger } from '../../src/platform/logger.ts'
import { systemRandom } from '../../src/platform/random.ts'

/** The namespace of the bench's events. */
export const NAMESPACE = 'bench:sync'

/** Records in one write: what the log itself puts into one. */
const GROUP = 512

/** A log on disk that was written through the store port, with signatures that nobody made. */
export interface BenchLog {
  readonly folder: string
  readonly store: Store
  readonly log: EventLog
  close(): Promise<void>
}

const SIGNATURE = new Uint8Array(64).fill(1)

/** Writes `length` events of each of `chains` chains, the chains taking turns, as a busy mesh does. */
export async function buildLog(chains: number, length: number): Promise<BenchLog> {
  const folder = mkdtempSync(join(tmpdir(), 'anchormesh-bench-'))
  const store = await openLevelStore(join(folder, 'store'), { create: true })
  const ports = {
    store,
    checkpoint: memoryCheckpoint(),
    clock: systemClock,
    random: systemRandom,
    logger: silentLogger
  }
  await (await openLog(ports)).close()
  const tips = new Map<number, { readonly id: string; readonly branch: number }>()
  let [logSeq, hash] = [0, GENESIS_HASH]
  for (let from = 0; from < chains * length; from += GROUP) {
    const operations: WriteOperation[] = []
    const predecessors = new Map<string, Predecessor>()
    const events: { readonly logSeq: number; readonly chain: number; readonly event: VerifiedEvent }[] = []
    for (let index = from; index < Math.min(from + GROUP, chains * length); index += 1) {
      const [chain, position] = [index % chains, Math.floor(index / chains) + 1]
      const tip = tips.get(chain)
      if (tip !== undefined) predecessors.set(tip.id, { branch: tip.branch, isTip: true })
      const { wire, event } = eventAt(chain, position, tip?.id ?? null)
      logSeq += 1
      const sealed = sealRecord(hash, { logSeq, scope: 'shared', recordedAt: event.envelope.ts, payload: wire })
      hash = sealed.record.hash
      operations.push({ type: 'put', key: recordKey(logSeq), value: sealed.stored })
      events.push({ logSeq, chain, event })
      tips.set(chain, { id: event.id, branch: tip?.branch ?? logSeq })
    }
    const indexes = new IndexWriter(predecessors)
    for (const entry of events) indexes.add(entry.logSeq, entry.event)
    operations.push(...indexes.operations())
    operations.push({ type: 'put', key: namespaceCountKey(NAMESPACE), value: utf8(String(logSeq)) })
    await store.write(operations, { sync: false })
  }
  const log = await openLog(ports)
  const close = async (): Promise<void> => {
    await log.close()
    await store.close()
  }
  return { folder, store, log, close }
}

function eventAt(
  chain: number,
  authorSeq: number,
  prev: string | null
): { readonly wire: Uint8Array; readonly event: VerifiedEvent } {
  const [signer, kid] = [`did:bench:${chain}`, 'key-1']
  const ts = 1_700_000_000_000 + authorSeq * 1_000 + (chain % 1_000)
  const envelope = { v: 1, type: 'note', namespace: NAMESPACE, signer, kid, authorSeq, prev, ts, body: {} } as const
  const wire = encodeEvent(envelope, [{ kid, signature: SIGNATURE }])
  const id = eventIdOfWire(wire) ?? ''
  const event = { id, chain: chainIdOf(envelope), envelope } as unknown as VerifiedEvent
  return { wire, event }
}
