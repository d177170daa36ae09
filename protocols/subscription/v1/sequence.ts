/** What the order of frames goes by. */
export interface OrderedFrame {
  readonly frame: string
  readonly logSeq: number
  readonly cursor: string | null
  readonly key?: string
}

const TERMINAL: ReadonlySet<string> = new Set([
  'error',
  'consumer-too-slow',
  'cursor-too-old',
  'cursor-foreign',
  'cursor-future'
])

/** Frames after which there is a cursor (SU-9). */
const WITH_CURSOR: ReadonlySet<string> = new Set(['snapshot', 'change', 'caught-up'])

/** Whether nothing follows such a frame (SU-2). */
export function isTerminal({ frame }: Pick<OrderedFrame, 'frame'>): boolean {
  return TERMINAL.has(frame)
}

/** Holds the frames of one subscription to their order. */
export class FrameSequence {
  #last: OrderedFrame | null = null
  #caughtUp = false
  #snapshotKey: string | null = null
  #hasCursor: boolean

  /** `hasCursor`: the subscription was opened with one. */
  constructor(options: { readonly hasCursor?: boolean } = {}) {
    this.#hasCursor = options.hasCursor ?? false
  }

  /** Takes the next frame: `null`, or the rule that it breaks. */
  take(frame: OrderedFrame): string | null {
    const broken = this.#broken(frame)
    if (broken !== null) return broken
    this.#last = frame
    if (frame.frame === 'caught-up') this.#caughtUp = true
    if (frame.frame === 'snapshot') this.#snapshotKey = frame.key ?? null
    if (frame.cursor !== null) this.#hasCursor = true
    return null
  }

  #broken(next: OrderedFrame): string | null {
    const last = this.#last
    if (last !== null && isTerminal(last)) return 'SU-2'
    if (last !== null && next.logSeq < last.logSeq) return 'SU-3'
    if ((next.frame === 'snapshot' || next.frame === 'caught-up') && this.#caughtUp) return 'SU-4'
    if (next.frame === 'checkpoint' && !this.#caughtUp) return 'SU-4'
    if (next.frame === 'snapshot' && this.#snapshotKey !== null && !isBefore(this.#snapshotKey, next.key)) return 'SU-5'
    if (next.frame === 'winner-changed' && !follows(last, next)) return 'SU-6'
    if (next.cursor === null && (this.#hasCursor || WITH_CURSOR.has(next.frame))) return 'SU-9'
    return null
  }
}

function follows(last: OrderedFrame | null, next: OrderedFrame): boolean {
  return last?.frame === 'change' && last.key === next.key && last.logSeq === next.logSeq
}

function isBefore(one: string, other: string | undefined): boolean {
  return other !== undefined && one < other
}
