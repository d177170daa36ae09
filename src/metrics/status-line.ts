import type { NodeStatus } from '../operations.ts'
import type { Clock } from '../platform/clock.ts'
import { messageOf } from '../platform/errors.ts'
import type { Logger } from '../platform/logger.ts'

const EVERY_MS = 60_000

export interface StatusLinePorts {
  readonly status: () => Promise<NodeStatus>
  readonly clock: Clock
  readonly logger: Logger
}

/** Logs how the node is, in one line a minute, until the signal aborts. */
export async function logStatus({ status, clock, logger }: StatusLinePorts, signal: AbortSignal): Promise<void> {
  let before: number | null = null
  while (await passes(clock, signal)) {
    try {
      const now = await status()
      logger.info(figuresOf(now, before), 'status')
      before = acceptedIn(now)
    } catch (error) {
      logger.warn({ reason: messageOf(error) }, 'the node could not say how it is')
    }
  }
}

/** Whether a minute passed before the signal aborted. */
async function passes(clock: Clock, signal: AbortSignal): Promise<boolean> {
  try {
    await clock.sleep(EVERY_MS, signal)
    return true
  } catch (error) {
    if (signal.aborted) return false
    throw error
  }
}

const acceptedIn = ({ ingest }: NodeStatus): number => ingest.outcomes['accepted'] ?? 0

/** What a person who reads a log wants to see at a glance. */
function figuresOf(status: NodeStatus, before: number | null): Record<string, string | number | boolean> {
  const { log, health, ingest, network, projections, verification, receipts, warnings } = status
  return {
    ok: health.ok,
    logSeq: log.logSeq,
    eventsPerMinute: acceptedIn(status) - (before ?? 0),
    peers: (network?.peers ?? []).filter(({ connected }) => connected).length,
    pending: ingest.pending.events,
    foldLag: Math.max(0, ...projections.map(({ logSeq }) => log.logSeq - logSeq)),
    undecided: verification.undecided,
    receiptsMissing: receipts.missing,
    warnings: warnings.length
  }
}
