import type { LinkRule } from '../scenario/schema.ts'
import { drawOf } from './latency.ts'
import type { DrawMs } from './latency.ts'

/** How a link is in one direction. */
export interface LinkQuality {
  /** Milliseconds that bytes are under way, drawn for each send. */
  readonly latencyMs: DrawMs
  /** Bytes a second; `Infinity`: no limit. */
  readonly bytesPerSecond: number
  /** The share of sends that are lost on the way. A stream knows no loss: it sends again, which takes time. */
  readonly lossRate: number
  /** The share of sends that go over the link twice. */
  readonly duplicateRate: number
  /** The share of sends that are held up on the way, so that later ones overtake them. */
  readonly reorderRate: number
}

const BYTES_PER_MEGABIT = 125_000

/** What a rule of a scenario makes of a link. */
export function qualityOf(rule: LinkRule): LinkQuality {
  return {
    latencyMs: drawOf(rule.latency),
    bytesPerSecond: rule.bandwidthMbps * BYTES_PER_MEGABIT,
    lossRate: rule.loss,
    duplicateRate: rule.duplicate,
    reorderRate: rule.reorder
  }
}
