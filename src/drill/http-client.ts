import { request } from 'node:http'
import type { IncomingMessage } from 'node:http'
import type { JsonValue } from '../../protocols/canonical-json/v1/json.ts'
import { concat } from '../../protocols/primitives/bytes.ts'
import type { Clock } from '../platform/clock.ts'
import { errnoOf } from '../platform/atomic-file.ts'
import { messageOf } from '../platform/errors.ts'
import { PinMismatch, connectTls } from './tls.ts'
import type { DrillTls } from './tls.ts'

// A receipt, a status or a node document: the largest is the status of a node with many peers.
const ANSWER_BYTES_MAX = 4 * 1024 * 1024

/** One exchange with the target, below one of its addresses. */
export interface DrillAsk {
  readonly method: 'GET' | 'POST' | 'DELETE'
  /** Where the listener is. */
  readonly base: URL
  /** Such as `/v1/federation/node`. */
  readonly path: string
  /** JSON text. */
  readonly body?: string
  readonly token?: string
}

/** What the target answered, whatever the status; redirects are answers as any other, and are not followed. */
export interface DrillReply {
  readonly ok: true
  readonly status: number
  readonly body: Uint8Array
  /** Undefined where the body is no JSON. */
  readonly json: JsonValue | undefined
}

/**
 * Why there is no answer. `UNREACHABLE` and `TIMED_OUT` may pass; `CERTIFICATE_NOT_TRUSTED`: it is somebody else, or the
 * wrong authority was given; `CERTIFICATE_REFUSED`: ours is, or is
 * missing; `ANSWER_TOO_LARGE`: that is no node.
 */
export type NoReplyCode =
  'UNREACHABLE' | 'TIMED_OUT' | 'CERTIFICATE_NOT_TRUSTED' | 'CERTIFICATE_REFUSED' | 'ANSWER_TOO_LARGE'
export interface NoReply {
  readonly ok: false
  readonly code: NoReplyCode
  readonly detail: string
}

export interface DrillHttp {
  /** Rejects only with the signal's reason. */
  ask(asked: DrillAsk, signal: AbortSignal): Promise<DrillReply | NoReply>
}

export interface DrillHttpOptions {
  readonly tls: DrillTls
  readonly clock: Clock
  /** For one exchange, from the connection to the last byte of the answer. */
  readonly timeoutMs: number
}

/** Asks by HTTP/1.1, each time over a connection of its own, so that no answer can be taken for that to another question. */
export function drillHttp({ tls, clock, timeoutMs }: DrillHttpOptions): DrillHttp {
  return {
    async ask(asked, signal) {
      signal.throwIfAborted()
      const exchange = new AbortController()
      const abort = (): void => exchange.abort(new Error('the exchange is over'))
      const cancel = clock.after(timeoutMs, abort)
      signal.addEventListener('abort', abort, { once: true })
      try {
        return await exchangeOnce(asked, tls, exchange.signal)
      } catch (error) {
        signal.throwIfAborted()
        if (exchange.signal.aborted)
          return { ok: false, code: 'TIMED_OUT', detail: `no whole answer within ${timeoutMs} ms` }
        return noReply(error)
      } finally {
        cancel()
        signal.removeEventListener('abort', abort)
        abort()
      }
    }
  }
}

async function exchangeOnce(asked: DrillAsk, tls: DrillTls, signal: AbortSignal): Promise<DrillReply | NoReply> {
  const { base, method, path, body, token } = asked
  const url = new URL(`${base.pathname.replace(/\/$/, '')}${path}`, base)
  const socket = url.protocol === 'https:' ? await connectTls(url, tls, signal) : null
  const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>()
  const sent = request(url, {
    // `node:http` over a socket that speaks TLS already is HTTPS.
    protocol: 'http:',
    method,
    signal,
    // With an agent, even a new one, `createConnection` would be passed over, and the token sent in clear.
    ...(socket === null ? { agent: false } : { createConnection: () => socket }),
    headers: {
      accept: 'application/json, application/problem+json',
      host: url.host,
      connection: 'close',
      ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
      ...(body === undefined
        ? {}
        : { 'content-type': 'application/json', 'content-length': String(Buffer.byteLength(body)) })
    }
  })
  sent.once('response', resolve)
  sent.on('error', reject)
  sent.end(body)
  try {
    const response = await promise
    return await read(response)
  } finally {
    sent.destroy()
    socket?.destroy()
  }
}

async function read(response: IncomingMessage): Promise<DrillReply | NoReply> {
  const chunks: Uint8Array[] = []
  let length = 0
  for await (const chunk of response as AsyncIterable<Uint8Array>) {
    length += chunk.length
    if (length > ANSWER_BYTES_MAX)
      return { ok: false, code: 'ANSWER_TOO_LARGE', detail: `it answered with more than ${ANSWER_BYTES_MAX} bytes` }
    chunks.push(chunk)
  }
  const body = concat(...chunks)
  return { ok: true, status: response.statusCode ?? 0, body, json: jsonOf(body) }
}

function jsonOf(body: Uint8Array): JsonValue | undefined {
  try {
    return JSON.parse(Buffer.from(body).toString('utf8')) as JsonValue
  } catch {
    // What is no JSON has no members that anybody could ask for.
    return undefined
  }
}

function noReply(error: unknown): NoReply {
  const code = errnoOf(error) ?? ''
  const detail = `${code === '' ? '' : `${code}: `}${messageOf(error)}`
  // The other side's alert is about the certificate that was shown to it.
  if (/^ERR_SSL_.*ALERT.*(?:CERT|UNKNOWN_CA|ACCESS_DENIED)/.test(code))
    return { ok: false, code: 'CERTIFICATE_REFUSED', detail }
  if (error instanceof PinMismatch) return { ok: false, code: 'CERTIFICATE_NOT_TRUSTED', detail }
  if (!/CERT|SELF_SIGNED|UNABLE_TO/.test(code)) return { ok: false, code: 'UNREACHABLE', detail }
  // What Node advises after the semicolon is a flag of its own.
  const [why = ''] = detail.split(';')
  return { ok: false, code: 'CERTIFICATE_NOT_TRUSTED', detail: `${why}; --ca (tls.ca) names whom it must lead to` }
}
