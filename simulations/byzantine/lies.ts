import { decodeFrame } from '../../protocols/range-sync/v1/decode.ts'
import { encodeFrame } from '../../protocols/range-sync/v1/encode.ts'
import type { Frame } from '../../protocols/range-sync/v1/frames.ts'
import { ROOT_BYTES, TAG_BYTES } from '../../protocols/range-sync/v1/frames.ts'
import type { SeededRandom } from '../ports/seeded-random.ts'
import type { ForgedEvent } from './forged-events.ts'
import { falsify, spoil } from './forged-events.ts'

/** Garbage is as long as a small frame. */
const GARBAGE_BYTES_MAX = 400

/**
 * What a lying peer of range-sync writes where an honest one writes `bytes`: wrong tips, wrong ranges, less than it has,
 * events that it made up (`onForged` is told of them), garbage, or nothing.
 */
export function lie(
  bytes: Uint8Array,
  random: SeededRandom,
  onForged: (event: ForgedEvent) => void
): readonly Uint8Array[] | null {
  const decoded = decodeFrame(bytes)
  const lot = random.below(12)
  if (!decoded.ok || lot === 0) return [random.bytes(1 + random.below(GARBAGE_BYTES_MAX))]
  if (lot === 1) return null
  if (lot === 2) return [bytes, bytes]
  if (lot === 3) return [bytes.slice(0, 1 + random.below(bytes.length))]
  return falseFrames(decoded.frame, random, onForged).map(encodeFrame)
}

function falseFrames(frame: Frame, random: SeededRandom, onForged: (event: ForgedEvent) => void): readonly Frame[] {
  switch (frame.type) {
    case 'hello':
      return [{ ...frame, root: random.bytes(ROOT_BYTES), chains: frame.chains + random.below(3) }]
    case 'sketch':
      return random.below(2) === 0
        ? [{ type: 'equal', membership: frame.membership }]
        : [{ ...frame, entries: frame.entries.map((entry) => (random.below(2) === 0 ? random.bytes(5) : entry)) }]
    case 'chains':
      return [{ ...frame, mine: frame.mine.map((chain) => ({ ...chain, tips: inventedTips(chain.tips, random) })) }]
    case 'answer':
      return [
        {
          ...frame,
          chains: frame.chains.map((chain) => ({
            ...chain,
            held: chain.held.map((held) => (random.below(2) === 0 ? !held : held)),
            tips: inventedTips(chain.tips, random)
          }))
        }
      ]
    case 'probe':
      return [{ ...frame, chains: frame.chains.map((chain) => ({ ...chain, held: chain.held.map((held) => !held) })) }]
    case 'events':
      return [{ ...frame, events: falseEvents(frame.events, random, onForged) }]
    case 'done':
      return [{ ...frame, sent: frame.sent + random.below(3), left: random.below(2) }]
    case 'negentropy':
    case 'tree':
      return [{ ...frame, message: random.bytes(1 + random.below(GARBAGE_BYTES_MAX)) }]
    default:
      return [frame]
  }
}

type Tips = readonly { readonly position: number; readonly tag: Uint8Array }[]

/** Events further on that there are not. */
function inventedTips(tips: Tips, random: SeededRandom): Tips {
  return tips.map(({ position, tag }) =>
    random.below(2) === 0
      ? { position: position + 1 + random.below(1_000), tag: random.bytes(TAG_BYTES) }
      : { position, tag }
  )
}

function falseEvents(
  events: readonly Uint8Array[],
  random: SeededRandom,
  onForged: (event: ForgedEvent) => void
): readonly Uint8Array[] {
  const [first] = events
  const lot = random.below(5)
  if (lot === 0 && events.length > 1) return events.slice(0, -1)
  if (lot === 1) return [...events].reverse()
  if (lot === 2) return events.map((event) => (random.below(3) === 0 ? random.bytes(event.length) : event))
  if (lot === 3) return events.map((event) => (random.below(2) === 0 ? spoil(event, random) : event))
  const forged = first === undefined ? null : falsify(first)
  if (forged === null) return events
  onForged(forged)
  return [forged.wire, ...events.slice(1)]
}
