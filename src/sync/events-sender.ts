import { EVENTS_FRAME_BYTES_MAX, EVENTS_IN_FRAME_MAX } from '../../protocols/range-sync/v1/frames.ts'
import type { SessionChannel } from './channel.ts'
import type { TransferPlan } from './transfer-plan.ts'

/** A frame that the link takes longer for is halved the next time: so a slow link shows progress, and keeps in time. */
const SLOW_MS = 1_000
/** One that goes faster is doubled. */
const FAST_MS = 100
const FRAME_BYTES_LEAST = 16_384

/** Type, number of events, and the length before each. */
const HEAD_BYTES = 8
const LENGTH_BYTES = 3

/**
 * Sends what a plan says, in frames as large as the link is fast; resolves with the number of events. Throws the reason of
 * the signal once it is aborted.
 */
export async function sendEvents(
  plan: TransferPlan,
  channel: SessionChannel,
  onSent: (sent: number) => void,
  signal: AbortSignal
): Promise<number> {
  let sent = 0
  let target = EVENTS_FRAME_BYTES_MAX
  let frame: Uint8Array[] = []
  let bytes = HEAD_BYTES
  const flush = async (): Promise<void> => {
    signal.throwIfAborted()
    if (frame.length === 0) return
    const tookMs = await channel.write({ type: 'events', events: frame })
    sent += frame.length
    onSent(sent)
    if (tookMs > SLOW_MS) target = Math.max(FRAME_BYTES_LEAST, target / 2)
    else if (tookMs < FAST_MS) target = Math.min(EVENTS_FRAME_BYTES_MAX, target * 2)
    frame = []
    bytes = HEAD_BYTES
  }
  for await (const batch of plan.events()) {
    for (const event of batch) {
      const size = event.length + LENGTH_BYTES
      if (frame.length === EVENTS_IN_FRAME_MAX || bytes + size > target) await flush()
      frame.push(event)
      bytes += size
    }
  }
  await flush()
  return sent
}
