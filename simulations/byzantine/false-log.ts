import { decodeEvent } from '../../protocols/event/v1/codec.ts'
import { MEMBERSHIP_BYTES } from '../../protocols/range-sync/v1/frames.ts'
import { fromOwnLog } from '../../src/events/verified.ts'
import { memoryCheckpoint } from '../../src/log/checkpoint-file.ts'
import { openMemoryStore } from '../../src/log/level-store.ts'
import { openLog } from '../../src/log/open-log.ts'
import type { WriteOperation } from '../../src/log/store.ts'
import type { Network } from '../../src/network/network.ts'
import { silentLogger } from '../../src/platform/logger.ts'
import type { SessionDoor } from '../../src/sync/events-receiver.ts'
import { SESSION_LIMITS } from '../../src/sync/limits.ts'
import { LogSyncView } from '../../src/sync/log-view.ts'
import { initiateSession } from '../../src/sync/session.ts'
import { RANGE_SYNC_PROTOCOL } from '../../src/sync/sync-service.ts'
import { TipTables } from '../../src/sync/tip-tables.ts'
import { systemClock } from '../../src/platform/clock.ts'
import { seededRandom } from '../ports/seeded-random.ts'
import type { SimulatedNode } from '../model/simulation.ts'
import type { Actor } from './actor.ts'
import type { ForgedEvent } from './forged-events.ts'

/** What comes back is taken and thrown away: a session ends early where it is of no use. */
const THROWING_AWAY: SessionDoor = {
  submit: () => Promise.resolve({ outcome: 'accepted', id: '', logSeq: Number.MAX_SAFE_INTEGER })
}

/**
 * Syncs with peers as if the node's log held one event more, by the real protocol; resolves with how many of them were
 * sent it. To be called within the node's process, whose clock the session goes by.
 */
export async function tellOf(
  event: ForgedEvent,
  { node, patience }: Pick<Actor, 'node' | 'patience'>,
  mesh: Network,
  peerIds: readonly string[]
): Promise<number> {
  const store = await openMemoryStore()
  const clock = systemClock
  await copyLog(node, (operations) => store.write(operations, { sync: false }))
  const parts = { store, clock, checkpoint: memoryCheckpoint(), logger: silentLogger }
  const log = await openLog({ ...parts, random: seededRandom('false log') })
  const decoded = decodeEvent(event.wire)
  if (!decoded.ok) throw new Error(`a forged event is at least an event: ${decoded.detail}`)
  await log.append([{ scope: 'shared', event: fromOwnLog(decoded.event) }])
  const tables = new TipTables(log, store)
  const { namespace } = event.envelope
  const { tips, logSeq } = await tables.view(namespace)
  const view = new LogSyncView({ namespace, membership: new Uint8Array(MEMBERSHIP_BYTES), tips }, log, store)
  let told = 0
  for (const peerId of peerIds) {
    const opening = await mesh.open(peerId, RANGE_SYNC_PROTOCOL, patience())
    if (!opening.ok) continue
    const ports = { door: THROWING_AWAY, clock, limits: SESSION_LIMITS }
    const { sent } = await initiateSession(opening.stream, { view, logSeq }, new Set(), ports)
    if (sent > 0) told += 1
  }
  tables.stop()
  await log.close()
  await store.close()
  return told
}

/** Copied at a time. */
const CHUNK_ENTRIES = 1_000

/** All but the projections, whose keys begin with `v!` and `w!`. */
async function copyLog(
  { disk: { stored } }: SimulatedNode,
  write: (operations: readonly WriteOperation[]) => Promise<void>
): Promise<void> {
  let operations: WriteOperation[] = []
  for (const range of [{ lt: 'v!' }, { gte: 'x!' }]) {
    for await (const [key, value] of stored.range(range)) {
      operations.push({ type: 'put', key, value })
      if (operations.length < CHUNK_ENTRIES) continue
      await write(operations)
      operations = []
    }
  }
  await write(operations)
}
