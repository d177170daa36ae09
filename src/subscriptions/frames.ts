import { eventText, messageBytes } from '../../protocols/subscription/v1/frame-bytes.ts'
import type { Frame } from '../api/frames.ts'
import type { FrameForm } from './sink.ts'

/** Frames that are sent in one go, encoded once for each form however many subscribers get them. */
export class FrameBundle {
  readonly #frames: { readonly json: string; readonly cursor: string | null }[] = []
  readonly #encoded: { events: Uint8Array | null; messages: Uint8Array | null } = { events: null, messages: null }
  #characters = 0
  #logSeq = 0
  #cursor: string | null = null

  static of(...frames: readonly Frame[]): FrameBundle {
    const bundle = new FrameBundle()
    for (const frame of frames) bundle.add(frame)
    return bundle
  }

  get length(): number {
    return this.#frames.length
  }

  /** How long the frames are, about. */
  get size(): number {
    return this.#characters
  }

  /** That of the last frame. */
  get cursor(): string | null {
    return this.#cursor
  }

  get logSeq(): number {
    return this.#logSeq
  }

  add(frame: Frame): void {
    const json = JSON.stringify(frame)
    this.#frames.push({ json, cursor: frame.cursor })
    this.#characters += json.length
    this.#cursor = frame.cursor
    this.#logSeq = frame.logSeq
  }

  bytes(form: FrameForm): Uint8Array {
    const made = (this.#encoded[form] ??= form === 'events' ? this.#asEvents() : this.#asMessages())
    return made
  }

  #asEvents(): Uint8Array {
    let text = ''
    for (const { json, cursor } of this.#frames) text += eventText(json, cursor)
    return Buffer.from(text)
  }

  #asMessages(): Uint8Array {
    return Buffer.concat(this.#frames.map(({ json }) => messageBytes(json)))
  }
}

/** Why a subscription ends. */
export interface Ending {
  readonly code: string
  readonly detail: string
  readonly retryable: boolean
  readonly oldest?: number
  readonly epoch?: string
}

/** Ends that have frames of their own. */
const NAMED_ENDS: ReadonlyMap<string, 'consumer-too-slow' | 'cursor-too-old' | 'cursor-foreign' | 'cursor-future'> =
  new Map([
    ['CONSUMER_TOO_SLOW', 'consumer-too-slow'],
    ['CURSOR_TOO_OLD', 'cursor-too-old'],
    ['CURSOR_FOREIGN', 'cursor-foreign'],
    ['CURSOR_FUTURE', 'cursor-future']
  ])

/** The terminal frame that tells of an end. */
export function terminalFrame({ code, detail, retryable, oldest, epoch }: Ending, place: FramePlace): Frame {
  const { logSeq, cursor } = place
  const named = NAMED_ENDS.get(code)
  const bound = oldest === undefined ? {} : { oldest }
  if (named === undefined) return { frame: 'error', logSeq, cursor, code, detail, retryable, ...bound }
  return { frame: named, logSeq, cursor, detail, ...bound, ...(epoch === undefined ? {} : { epoch }) }
}

/** What every frame has. */
export interface FramePlace {
  readonly logSeq: number
  readonly cursor: string | null
}
