/**
 * A small RFC 3161 time-stamping authority over HTTP that needs only Node, so that a demo, a test or a laptop without
 * Internet has real tokens to work with. FOR DEVELOPMENT: it makes its own root at every start and stamps what this
 * machine's clock says, so its tokens prove nothing about time to anybody.
 */
import { createServer } from 'node:http'
import type { IncomingMessage, Server, ServerResponse } from 'node:http'
import type { Clock } from '../../platform/clock.ts'
import { AnchormeshError, messageOf } from '../../platform/errors.ts'
import { silentLogger } from '../../platform/logger.ts'
import type { Logger } from '../../platform/logger.ts'
import type { Random } from '../../platform/random.ts'
import { createDevelopmentAuthority, systemFailureReply } from './development-authority.ts'
import type { DevelopmentAuthority } from './development-authority.ts'
import { QUERY_MEDIA_TYPE, REPLY_MEDIA_TYPE } from './rfc3161.ts'

export interface DevelopmentTsaOptions {
  /** Gives the genTime of every token and the validity of the certificates. */
  readonly clock: Clock
  /** Gives serial numbers. The private keys come from Web Crypto and never leave it. */
  readonly random: Random
  /** Default: 127.0.0.1 on a free port. */
  readonly listen?: { readonly host: string; readonly port: number }
  readonly logger?: Logger
}

export interface DevelopmentTsa {
  /** Where queries are posted, for example `http://127.0.0.1:43121/`. */
  readonly url: string
  /** The root that its tokens lead to, for `tsa-roots/` and for `openssl ts -verify -CAfile`. */
  readonly rootCertificatePem: string
  /** Stops listening and drops open connections; resolves when the port is free. */
  close(): Promise<void>
}

// A query is below 200 bytes; extensions could make it longer, but none is accepted.
const QUERY_BYTES_MAX = 16 * 1024

// A query comes from a program on the same machine or network in one piece.
const REQUEST_TIMEOUT_MS = 10_000

/**
 * Starts an authority. It answers `POST /` of `application/timestamp-query` with `application/timestamp-reply`, also
 * when it refuses (RFC 3161 3.4); what is no such request gets an HTTP status (404, 405, 413, 415). Throws
 * `PORT_IN_USE`.
 */
export async function startDevelopmentTsa(options: DevelopmentTsaOptions): Promise<DevelopmentTsa> {
  const { host, port } = options.listen ?? { host: '127.0.0.1', port: 0 }
  const logger = (options.logger ?? silentLogger).child({ part: 'development-tsa' })
  const authority = await createDevelopmentAuthority(options)
  const server = createServer({ requestTimeout: REQUEST_TIMEOUT_MS }, (request, response) => {
    void serve(authority, logger, request, response)
  })
  await listen(server, host, port)
  const url = urlOf(server)
  logger.info({ url }, 'the development TSA is listening; its tokens prove nothing about time')
  return { url, rootCertificatePem: authority.rootCertificatePem, close: () => close(server) }
}

async function serve(
  authority: DevelopmentAuthority,
  logger: Logger,
  request: IncomingMessage,
  response: ServerResponse
): Promise<void> {
  const refused = refuseRequest(request)
  if (refused !== null) {
    // What is left of the body is read and thrown away, or the sender would see a reset connection and no answer.
    request.resume()
    answerText(response, refused.status, refused.text, refused.headers)
    return
  }
  try {
    const body = await readBody(request)
    if (body === 'gone') {
      logger.debug({}, 'the sender of a time-stamp query went away')
      return
    }
    if (body === 'too-long') {
      answerText(response, 413, `a query has at most ${QUERY_BYTES_MAX} bytes`)
      return
    }
    const answer = await authority.answer(body)
    if (answer.refused !== undefined) logger.warn(answer.refused, 'refused a time-stamp query')
    answerReply(response, answer.reply)
  } catch (error) {
    logger.error({ error: messageOf(error) }, 'a time-stamp query could not be answered')
    answerReply(response, systemFailureReply())
  }
}

interface RefusedRequest {
  readonly status: number
  readonly text: string
  readonly headers?: Readonly<Record<string, string>>
}

function refuseRequest(request: IncomingMessage): RefusedRequest | null {
  if (request.url !== '/') return { status: 404, text: 'queries are posted to /' }
  if (request.method !== 'POST') return { status: 405, text: 'queries are posted', headers: { allow: 'POST' } }
  const mediaType = request.headers['content-type']?.split(';')[0]?.trim().toLowerCase()
  if (mediaType !== QUERY_MEDIA_TYPE) return { status: 415, text: `a query is ${QUERY_MEDIA_TYPE}` }
  return null
}

/** The whole body; what exceeds the limit is read and thrown away. */
function readBody(request: IncomingMessage): Promise<Uint8Array | 'too-long' | 'gone'> {
  return new Promise((resolve) => {
    const chunks: Buffer[] = []
    let length = 0
    request.on('data', (chunk: Buffer) => {
      length += chunk.length
      if (length <= QUERY_BYTES_MAX) chunks.push(chunk)
      else resolve('too-long')
    })
    request.on('end', () => resolve(Buffer.concat(chunks)))
    request.on('error', () => resolve('gone'))
  })
}

function answerReply(response: ServerResponse, reply: Uint8Array): void {
  response.writeHead(200, { 'content-type': REPLY_MEDIA_TYPE, 'content-length': reply.length })
  response.end(reply)
}

function answerText(
  response: ServerResponse,
  status: number,
  text: string,
  headers: Readonly<Record<string, string>> = {}
): void {
  response.writeHead(status, { 'content-type': 'text/plain; charset=utf-8', ...headers })
  response.end(`${text}\n`)
}

function listen(server: Server, host: string, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const onError = (error: NodeJS.ErrnoException): void => {
      reject(
        error.code === 'EADDRINUSE'
          ? new AnchormeshError('PORT_IN_USE', `${host}:${port} is taken by another program`, {
              hint: 'choose another port for the development TSA, or 0 for a free one',
              cause: error
            })
          : error
      )
    }
    server.once('error', onError)
    server.listen(port, host, () => {
      server.off('error', onError)
      resolve()
    })
  })
}

function urlOf(server: Server): string {
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('the development TSA has no TCP address')
  return `http://${address.family === 'IPv6' ? `[${address.address}]` : address.address}:${address.port}/`
}

function close(server: Server): Promise<void> {
  return new Promise((resolve, reject) => {
    server.close((error) => (error === undefined ? resolve() : reject(error)))
    server.closeAllConnections()
  })
}
