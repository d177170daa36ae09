import { untilAborted } from '../platform/until-aborted.ts'
import { ClientError, malformedAnswer } from './errors.ts'

/** The text of an answer of at most `bytesMax` bytes. Throws `ANSWER_TOO_LARGE`, `ANSWER_MALFORMED` for no UTF-8. */
export async function readBounded(response: Response, bytesMax: number, signal: AbortSignal): Promise<string> {
  if (response.body === null) return ''
  const reader: ReadableStreamDefaultReader<Uint8Array> = response.body.getReader()
  const decoder = new Utf8()
  let bytes = 0
  let text = ''
  for (;;) {
    const { done, value } = await untilAborted(reader.read(), signal)
    if (done) return text + decoder.end()
    bytes += value.length
    if (bytes > bytesMax) throw new ClientError('ANSWER_TOO_LARGE', `the answer has more than ${bytesMax} bytes`)
    text += decoder.take(value)
  }
}

/** UTF-8 in pieces. Throws `ANSWER_MALFORMED`. */
export class Utf8 {
  readonly #decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

  take(bytes: Uint8Array): string {
    return this.#decode(bytes, true)
  }

  end(): string {
    return this.#decode(new Uint8Array(), false)
  }

  #decode(bytes: Uint8Array, stream: boolean): string {
    try {
      return this.#decoder.decode(bytes, { stream })
    } catch (error) {
      throw malformedAnswer('the answer is no UTF-8', { cause: error })
    }
  }
}
