import { NOTE_BYTES_MAX } from '../../protocols/checkpoint/v1/note.ts'
import type { Clock } from '../platform/clock.ts'
import { AnchormeshError, messageOf } from '../platform/errors.ts'
import type { LogConsistency } from '../transparency/log-proof-operations.ts'
import { logConsistency } from './log-proof-schemas.ts'

// A node answers within milliseconds; what takes longer is none, or can't be reached.
const ANSWER_MS_MAX = 10_000

/** The log of a node somewhere else, over its public listener. What it says is believed by nobody. */
export interface PeerLog {
  /** Its signed checkpoint of now. Throws `PEER_UNREACHABLE`. */
  checkpoint(): Promise<string>
  /** Its proof that it only grew. Throws `PEER_UNREACHABLE`. */
  consistency(from: number, to: number): Promise<LogConsistency>
}

/** `url`: `http://host:port`, as in the peer's line `ready`. */
export function peerLog(url: string, ports: { readonly clock: Clock; readonly signal: AbortSignal }): PeerLog {
  const get = async (path: string): Promise<string> => await read(url, path, ports)
  return {
    checkpoint: () => get('/v1/log/checkpoint'),
    async consistency(from, to) {
      const text = await get(`/v1/log/consistency?from=${from}&to=${to}`)
      try {
        return logConsistency.parse(JSON.parse(text))
      } catch (error) {
        throw unreachable(url, `its proof can't be read: ${messageOf(error)}`)
      }
    }
  }
}

async function read(
  url: string,
  path: string,
  { clock, signal }: { readonly clock: Clock; readonly signal: AbortSignal }
): Promise<string> {
  const exchange = new AbortController()
  const abort = (): void => exchange.abort()
  const cancelLimit = clock.after(ANSWER_MS_MAX, abort)
  signal.addEventListener('abort', abort, { once: true })
  try {
    const response = await fetch(new URL(path, url), { redirect: 'error', signal: exchange.signal })
    const text = await boundedText(response)
    if (text === null) throw unreachable(url, `its answer has more than ${NOTE_BYTES_MAX} bytes`)
    if (!response.ok) throw unreachable(url, `it answered with HTTP status ${response.status}`)
    return text
  } catch (error) {
    signal.throwIfAborted()
    if (error instanceof AnchormeshError) throw error
    throw unreachable(url, exchange.signal.aborted ? `no answer within ${ANSWER_MS_MAX} ms` : messageOf(error))
  } finally {
    cancelLimit()
    signal.removeEventListener('abort', abort)
    // Closes the connection of an answer that was not read to its end.
    exchange.abort()
  }
}

async function boundedText(response: Response): Promise<string | null> {
  const chunks: Uint8Array[] = []
  let length = 0
  const body: AsyncIterable<Uint8Array> | null = response.body
  for await (const chunk of body ?? []) {
    length += chunk.length
    if (length > NOTE_BYTES_MAX) return null
    chunks.push(chunk)
  }
  return Buffer.concat(chunks).toString('utf8')
}

function unreachable(url: string, reason: string): AnchormeshError {
  return new AnchormeshError('PEER_UNREACHABLE', `the log at ${url} could not be read: ${reason}`)
}
