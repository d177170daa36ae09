import { request as send } from 'node:http'
import type { IncomingMessage } from 'node:http'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { connect } from 'node:tls'
import type { TLSSocket } from 'node:tls'
import { messageOf } from '../platform/errors.ts'
import { pinOf } from './tls.ts'

export interface PinnedRequest {
  readonly method: string
  readonly headers: Readonly<Record<string, string>>
  readonly body?: ReadableStream<Uint8Array> | Uint8Array | string
  readonly signal?: AbortSignal
}

/**
 * As `fetch`, for the one server whose certificate has this pin (SHA-256 of its DER), whatever its name, its issuer and
 * its end: the pin comes from a file that only the operator can read. Nothing is sent before the certificate was seen.
 * Redirects are not followed. Rejects when there is no connection, and when another certificate is shown.
 */
export async function pinnedFetch(url: URL, pin: string, request: PinnedRequest): Promise<Response> {
  const { method, headers, body, signal } = request
  signal?.throwIfAborted()
  const socket = await connectPinned(url, pin, signal)
  const sent = send(url.href.replace(/^https:/, 'http:'), {
    method,
    headers: { ...headers, host: url.host },
    // With an agent, `false` included, node would open a connection of its own, in clear.
    createConnection: () => socket,
    ...(signal === undefined ? {} : { signal })
  })
  let isAnswered = false
  const answered = new Promise<IncomingMessage>((resolve, reject) => {
    sent.once('response', (response: IncomingMessage) => {
      isAnswered = true
      resolve(response)
    })
    sent.on('error', reject)
  })
  if (body === undefined) sent.end()
  else {
    pipeline(Readable.from(typeof body === 'string' || body instanceof Uint8Array ? [body] : body), sent).catch(
      (error: unknown) => {
        // A server may answer before it has read all, and close: then its answer is what counts.
        if (!isAnswered) sent.destroy(error instanceof Error ? error : new Error(messageOf(error)))
      }
    )
  }
  const answer = await answered
  const type = answer.headers['content-type']
  return new Response(Readable.toWeb(answer) as ReadableStream<Uint8Array>, {
    status: answer.statusCode ?? 0,
    headers: type === undefined ? {} : { 'content-type': type }
  })
}

async function connectPinned(url: URL, pin: string, signal: AbortSignal | undefined): Promise<TLSSocket> {
  const host = url.hostname.replace(/^\[|\]$/g, '')
  const socket = connect({
    host,
    port: Number(url.port === '' ? 443 : url.port),
    minVersion: 'TLSv1.3',
    ALPNProtocols: ['http/1.1'],
    // The pin is checked in the place of the chain, before the first byte goes out.
    rejectUnauthorized: false
  })
  const abort = (): void => {
    socket.destroy(signal?.reason as Error)
  }
  signal?.addEventListener('abort', abort, { once: true })
  try {
    await new Promise<void>((resolve, reject) => {
      socket.once('secureConnect', resolve)
      socket.once('error', reject)
    })
  } finally {
    signal?.removeEventListener('abort', abort)
  }
  const certificate = socket.getPeerX509Certificate()
  if (certificate !== undefined && pinOf(certificate) === pin) return socket
  socket.destroy()
  throw new Error('it shows another certificate than the node of run/admin.json')
}
