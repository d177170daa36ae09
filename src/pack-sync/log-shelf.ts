import type { EventLog } from '../log/event-log.ts'
import { AnchormeshError } from '../platform/errors.ts'
import type { ProjectionEngine } from '../projections/engine.ts'
import { validPacks } from '../projections/packs.ts'
import { WAIT_MS_MAX } from '../projections/page.ts'
import type { PackPlace, PackShelf } from './shelf.ts'
import { comparePlaces } from './shelf.ts'

export interface LogShelfPorts {
  readonly log: EventLog
  readonly engine: ProjectionEngine
  /** Whether anything is known of the organisation. */
  readonly knows: (orgId: string) => boolean
}

/**
 * The packs that are valid in a node's log: the log is read for each page, and nothing is kept. `places` throws `NOT_YET`
 * where the fold stays behind the log, and `PROJECTION_HALTED`.
 */
export function logShelf({ log, engine, knows }: LogShelfPorts): PackShelf {
  return {
    places: async (orgId) => {
      if (!knows(orgId)) return null
      // Whoever pushed a pack and was told that it is accepted finds it here from then on.
      await engine.reached(log.head.logSeq, WAIT_MS_MAX, 'trust-anchors')
      const packs = await validPacks(engine, orgId)
      return packs.map(({ packSeq, eventId }) => ({ packSeq, eventId })).toSorted(comparePlaces)
    },
    async *events(place, places, { links, skip }) {
      const end = await positionOf(log, place.eventId)
      const first = links ? (await lastBefore(log, place, places)) + 1 : end.authorSeq
      const from = first + skip
      if (from > end.authorSeq) return
      const path = await log.pathOf({ chain: end.chain, branch: end.branch, authorSeq: end.authorSeq })
      for await (const batch of log.eventsOnPath(path, from, end.authorSeq)) {
        for (const { wire } of batch) yield wire
      }
    }
  }
}

/** The position on the same chain of the last pack at an earlier place; 0 without one. */
async function lastBefore(log: EventLog, place: PackPlace, places: readonly PackPlace[]): Promise<number> {
  const { chain, authorSeq } = await positionOf(log, place.eventId)
  const earlier = places.filter((other) => comparePlaces(other, place) < 0).map(({ eventId }) => eventId)
  const positions = await log.findMany(earlier)
  const onChain = positions.filter((found) => found?.chain === chain && found.authorSeq < authorSeq)
  return Math.max(0, ...onChain.map((found) => found?.authorSeq ?? 0))
}

async function positionOf(log: EventLog, eventId: string): Promise<NonNullable<Awaited<ReturnType<EventLog['find']>>>> {
  const position = await log.find(eventId)
  if (position === undefined)
    throw new AnchormeshError('STORE_CORRUPT', `pack event ${eventId} is among the facts, but not in the log`)
  return position
}
