/** One message of a stream of server-sent events. */
export interface SseMessage {
  /** `message` where the stream names none. */
  readonly event: string
  readonly data: string
  /** The last `id` that the stream gave; empty before the first. */
  readonly id: string
}

/** What a stream sends that no parser holds: more than `charactersMax` without an end of the line or the message. */
export class SseOverflow extends Error {
  constructor(charactersMax: number) {
    super(`a message of the stream has more than ${charactersMax} characters`)
    this.name = 'SseOverflow'
  }
}

const BYTE_ORDER_MARK = '\uFEFF'

/**
 * Puts messages together from the text of a `text/event-stream`, in whichever pieces it comes (WHATWG HTML, section
 * 9.2.6). Lines end by CRLF, LF or CR; comments and unknown fields are passed over; a message that the stream ends in the
 * middle of is dropped. `retry` is passed over too: how long to wait is for the client to say.
 */
export class SseParser {
  readonly #charactersMax: number
  /** Pieces of a line whose end has not come; joined only then, so that a long line costs its length once. */
  #pieces: string[] = []
  #characters = 0
  #data: string[] = []
  #event = ''
  #id = ''
  #isFirst = true
  /** Whether the last piece ended with CR: a LF at the beginning of the next belongs to it. */
  #afterReturn = false

  /** `charactersMax` bounds one message and all that is kept of it. */
  constructor(charactersMax: number) {
    this.#charactersMax = charactersMax
  }

  /** The messages that are whole with this piece. Throws `SseOverflow`. */
  push(piece: string): SseMessage[] {
    const messages: SseMessage[] = []
    let from = 0
    if (piece === '') return messages
    if (this.#isFirst) {
      this.#isFirst = false
      if (piece.startsWith(BYTE_ORDER_MARK)) from = 1
    }
    if (this.#afterReturn && piece.startsWith('\n')) from = 1
    this.#afterReturn = false
    // Looked for once each, and not from every line on: a piece may be nothing but line feeds.
    let feed = piece.indexOf('\n', from)
    let carriageReturn = piece.indexOf('\r', from)
    for (;;) {
      if (feed !== -1 && feed < from) feed = piece.indexOf('\n', from)
      if (carriageReturn !== -1 && carriageReturn < from) carriageReturn = piece.indexOf('\r', from)
      const end = firstOf(feed, carriageReturn)
      if (end === -1) break
      this.#keep(piece.slice(from, end))
      const line = this.#pieces.length === 1 ? (this.#pieces[0] ?? '') : this.#pieces.join('')
      this.#pieces = []
      this.#takeLine(line, messages)
      from = end + 1
      if (piece[end] !== '\r') continue
      if (from === piece.length) this.#afterReturn = true
      else if (piece[from] === '\n') from += 1
    }
    if (from < piece.length) this.#keep(piece.slice(from))
    return messages
  }

  #keep(part: string): void {
    this.#characters += part.length
    if (this.#characters > this.#charactersMax) throw new SseOverflow(this.#charactersMax)
    this.#pieces.push(part)
  }

  #takeLine(line: string, messages: SseMessage[]): void {
    if (line === '') {
      if (this.#data.length > 0)
        messages.push({
          event: this.#event === '' ? 'message' : this.#event,
          data: this.#data.join('\n'),
          id: this.#id
        })
      this.#data = []
      this.#event = ''
      this.#characters = 0
      return
    }
    const colon = line.indexOf(':')
    const field = colon === -1 ? line : line.slice(0, colon)
    const value = colon === -1 ? '' : line.slice(line[colon + 1] === ' ' ? colon + 2 : colon + 1)
    if (field === 'data') this.#data.push(value)
    else this.#characters -= line.length
    if (field === 'event') this.#event = value
    if (field === 'id' && !value.includes('\0')) this.#id = value
  }
}

/** The smaller of two positions of which -1 is none. */
function firstOf(left: number, right: number): number {
  if (left === -1) return right
  return right === -1 ? left : Math.min(left, right)
}
