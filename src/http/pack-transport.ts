import { concat } from '../../protocols/primitives/bytes.ts'
import { PUSH_OUTCOMES } from '../../protocols/pack-sync/v1/message.ts'
import type { PackErrorCode, PushOutcome } from '../../protocols/pack-sync/v1/message.ts'
import { PACK_PAGE_BYTES_MAX } from '../../protocols/pack-sync/v1/page.ts'
import type { PackRefusal, PackTransport } from '../pack-sync/transport.ts'
import type { Clock } from '../platform/clock.ts'
import { messageOf } from '../platform/errors.ts'

// One page of 1 MiB over a slow link (35 KiB a second), building it included.
const EXCHANGE_MS_MAX = 30_000
// An outcome or a problem is a few hundred bytes.
const TEXT_BYTES_MAX = 64 * 1024
// Words of a stranger, for operators: a sentence or two.
const DETAIL_CHARS_MAX = 256

interface Reply {
  readonly status: number
  readonly mediaType: string
  readonly body: Uint8Array
}

interface HttpAsk {
  readonly url: URL
  readonly method: 'GET' | 'POST'
  readonly body?: Uint8Array
  readonly bytesMax: number
}

/**
 * A node's public listener as a source of packs (PS-15). `address` is where it is, a path before `/v1` included.
 * Redirects are not followed: a source is where the configuration says it is.
 */
export function httpTransport(address: string, clock: Clock): PackTransport {
  const base = new URL(address)
  if (!base.pathname.endsWith('/')) base.pathname += '/'
  const headers: Record<string, string> = {}
  if (base.username !== '' || base.password !== '') {
    const user = `${decodeURIComponent(base.username)}:${decodeURIComponent(base.password)}`
    headers['authorization'] = `Basic ${Buffer.from(user).toString('base64')}`
    base.username = base.password = ''
  }
  // What stands in a query may be a key.
  const name = `${base.origin}${base.pathname}`.replace(/\/$/, '')
  const ask = (request: HttpAsk, signal: AbortSignal): Promise<Reply | PackRefusal> =>
    exchange(request, { headers, clock, signal })
  return {
    name,
    async pull({ orgId, afterPackSeq, limit, links, pageToken }, signal) {
      const url = new URL(`v1/packs/${encodeURIComponent(orgId)}`, base)
      url.search = base.search
      url.searchParams.set('after', String(afterPackSeq))
      url.searchParams.set('limit', String(limit))
      if (links === true) url.searchParams.set('links', 'true')
      if (pageToken !== undefined) url.searchParams.set('pageToken', pageToken)
      const reply = await ask({ url, method: 'GET', bytesMax: PACK_PAGE_BYTES_MAX }, signal)
      if ('ok' in reply) return reply
      if (reply.status === 200 && reply.mediaType === 'application/json') return { ok: true, page: reply.body }
      return refusalOf(reply)
    },
    async push(wire, signal) {
      const url = new URL('v1/packs', base)
      url.search = base.search
      const reply = await ask({ url, method: 'POST', body: wire, bytesMax: TEXT_BYTES_MAX }, signal)
      if ('ok' in reply) return reply
      const outcome = outcomeIn(reply)
      return outcome === null ? refusalOf(reply) : { ok: true, outcome }
    }
  }
}

async function exchange(
  { url, method, body, bytesMax }: HttpAsk,
  {
    headers,
    clock,
    signal
  }: { readonly headers: Readonly<Record<string, string>>; readonly clock: Clock; readonly signal: AbortSignal }
): Promise<Reply | PackRefusal> {
  signal.throwIfAborted()
  const controller = new AbortController()
  const cancel = clock.after(EXCHANGE_MS_MAX, () => controller.abort())
  const abort = (): void => controller.abort()
  signal.addEventListener('abort', abort, { once: true })
  try {
    const type = body === undefined ? {} : { 'content-type': 'application/octet-stream' }
    const response = await fetch(url, {
      method,
      redirect: 'manual',
      signal: controller.signal,
      headers: { ...headers, ...type },
      ...(body === undefined ? {} : { body: new Uint8Array(body) })
    })
    return await read(response, bytesMax)
  } catch (error) {
    signal.throwIfAborted()
    const late = controller.signal.aborted
    const detail = late ? `no whole answer within ${EXCHANGE_MS_MAX} ms` : shown(reasonOf(error))
    return { ok: false, reason: 'unreachable', detail }
  } finally {
    cancel()
    signal.removeEventListener('abort', abort)
    // Closes the connection of an answer that was not read to its end; does nothing to one that was.
    controller.abort()
  }
}

async function read(response: Response, bytesMax: number): Promise<Reply | PackRefusal> {
  const { status } = response
  const chunks: Uint8Array[] = []
  let length = 0
  const body: AsyncIterable<Uint8Array> | null = response.body
  for await (const chunk of body ?? []) {
    length += chunk.length
    // [REJECT] PS-4.
    if (length > bytesMax)
      return { ok: false, reason: 'broken', detail: `it answered with more than ${bytesMax} bytes` }
    chunks.push(chunk)
  }
  const mediaType = response.headers.get('content-type')?.split(';')[0]?.trim().toLowerCase() ?? ''
  return { status, mediaType, body: concat(...chunks) }
}

/** What a problem says in the words of PS-14. */
function refusalOf(reply: Reply): PackRefusal {
  const { status } = reply
  const told = membersOf(reply, 'application/problem+json')
  const code = CODES[String(told?.['code'])]
  const detail = typeof told?.['detail'] === 'string' ? shown(told['detail']) : `HTTP status ${status}`
  if (code !== undefined) return { ok: false, reason: 'refused', code, detail }
  if (status === 429 || status >= 500)
    return { ok: false, reason: 'unreachable', detail: `HTTP status ${status}: ${detail}` }
  if (status >= 300 && status < 400)
    return { ok: false, reason: 'broken', detail: `it sends elsewhere (HTTP status ${status})` }
  return { ok: false, reason: 'broken', detail: `no source of packs: ${detail}` }
}

/** What became of an event: as the answer, or as a problem that says the outcome. */
function outcomeIn(reply: Reply): PushOutcome | null {
  const told = membersOf(reply, reply.status < 300 ? 'application/json' : 'application/problem+json')
  const outcome = PUSH_OUTCOMES.find((name) => name === told?.['outcome'])
  if (told === null || outcome === undefined) return null
  const code = typeof told['code'] === 'string' ? shown(told['code']) : ''
  const detail = typeof told['detail'] === 'string' ? shown(told['detail']) : ''
  return { outcome, code, detail }
}

function membersOf({ mediaType, body }: Reply, expected: string): Readonly<Record<string, unknown>> | null {
  if (mediaType !== expected) return null
  try {
    const value: unknown = JSON.parse(Buffer.from(body).toString('utf8'))
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : null
  } catch {
    // Whoever says that it is JSON and sends something else is no source.
    return null
  }
}

/** The codes of problems in the words of PS-14. */
const CODES: Readonly<Partial<Record<string, PackErrorCode>>> = {
  QUERY_INVALID: 'bad-request',
  BODY_TOO_LARGE: 'too-big',
  BAD_TOKEN: 'bad-token',
  UNKNOWN_ORGANISATION: 'unknown-organisation',
  CROSS_ORG_DENIED: 'denied',
  OVERLOADED: 'busy',
  RATE_LIMITED: 'busy'
}

function shown(text: string): string {
  return text.replaceAll(/\p{C}/gu, '?').slice(0, DETAIL_CHARS_MAX).toWellFormed()
}

/** `fetch` fails with "fetch failed" and keeps the reason in the cause. */
function reasonOf(error: unknown): string {
  return messageOf(error instanceof Error && error.cause !== undefined ? error.cause : error)
}
