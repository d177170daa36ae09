import * as asn1js from 'asn1js'
import { AlgorithmIdentifier, id_sha256, MessageImprint, TimeStampReq } from 'pkijs'
import { concat, equalBytes } from '../../../protocols/primitives/bytes.ts'
import type { Clock } from '../../platform/clock.ts'
import { messageOf } from '../../platform/errors.ts'
import type { Random } from '../../platform/random.ts'
import type { Token } from '../rfc3161/signed-data.ts'
import { readTimestampResponse } from '../rfc3161/timestamp-response.ts'
import { derOf, QUERY_MEDIA_TYPE, randomInteger, REPLY_MEDIA_TYPE } from './rfc3161.ts'

export interface TimestampRequest {
  /** Where the authority takes queries: `http:` or `https:`, without user name and password. */
  readonly url: string
  /** The 32 bytes of a batch root. */
  readonly root: Uint8Array
  /** The authority's id, as in `rfc3161:<tsa>`; named in every `detail`. */
  readonly tsa: string
  readonly random: Random
  readonly clock: Clock
  /** For the whole exchange, from connecting to the last byte. */
  readonly timeoutMs: number
}

/**
 * - `TSA_REQUEST_FAILED`: not reached, another HTTP status than 200 (a redirect too), or the authority refused;
 * - `PROVIDER_TIMEOUT`: no whole answer within `timeoutMs`;
 * - `PROVIDER_MALFORMED`: an answer of another content type, too large, no RFC 3161 response, or without certificate;
 * - `TSA_IMPRINT`: a token over something else than the root;
 * - `TSA_NONCE`: a token without this query's nonce, so perhaps an old one.
 */
export type TimestampRequestFailure =
  'TSA_REQUEST_FAILED' | 'PROVIDER_TIMEOUT' | 'PROVIDER_MALFORMED' | 'TSA_IMPRINT' | 'TSA_NONCE'

export type TimestampResult =
  | {
      readonly ok: true
      /** The TimeStampToken (a CMS ContentInfo), byte for byte as the authority sent it. */
      readonly token: Uint8Array
      /** What the token says about its time; integer milliseconds since 1970. Not verified. */
      readonly genTime: number
      /** Lower-case hex. */
      readonly serialNumber: string
    }
  | { readonly ok: false; readonly code: TimestampRequestFailure; readonly detail: string }

type Failure = Extract<TimestampResult, { ok: false }>

const ROOT_BYTES = 32

// Unguessable, so that no old answer fits; and as long as the nonces of the openssl command, which every authority
// takes.
const NONCE_BYTES = 8

// Real tokens with their chains have a few KiB; revocation data may multiply that, and this is some ten times as much.
const REPLY_BYTES_MAX = 64 * 1024

/**
 * Has a batch root stamped by an RFC 3161 authority. The imprint is SHA-256, and its `hashedMessage` IS the 32 bytes of
 * the root, which is a SHA-256 value itself; it is not hashed again. So `openssl ts -verify -digest ROOT -token_in`
 * checks the token against the root as people write it.
 *
 * Checked here is what shows that this answer belongs to this query: status granted, imprint, nonce. The query asks for
 * the certificates, and a token without any is refused, because nobody could verify it offline later. Signature,
 * certificate chain and policy are the verifier's task, on every node: a token from here is evidence and no verdict.
 *
 * Redirects are not followed: an authority is where the configuration says it is. Throws only when `root` is not 32
 * bytes long.
 */
export async function requestTimestamp(request: TimestampRequest): Promise<TimestampResult> {
  if (request.root.length !== ROOT_BYTES) throw new TypeError(`a batch root has 32 bytes, not ${request.root.length}`)
  const nonce = randomInteger(request.random, NONCE_BYTES)
  const posted = await post(request, encodeQuery(request.root, nonce))
  if (!posted.ok) return posted
  const response = readTimestampResponse(posted.body)
  if (!response.ok) return failure(request, 'PROVIDER_MALFORMED', response.detail)
  if (!response.granted) return failure(request, 'TSA_REQUEST_FAILED', `refused the query: ${response.detail}`)
  const { token } = response
  return (
    checkBelongs(request, nonce.toBigInt(), token) ?? {
      ok: true,
      token: token.bytes,
      genTime: token.info.genTime,
      serialNumber: token.info.serialNumber
    }
  )
}

/** TimeStampReq (RFC 3161 2.4.1), with certReq set and no policy asked for. */
function encodeQuery(root: Uint8Array, nonce: asn1js.Integer): Uint8Array<ArrayBuffer> {
  const messageImprint = new MessageImprint({
    hashAlgorithm: new AlgorithmIdentifier({ algorithmId: id_sha256, algorithmParams: new asn1js.Null() }),
    hashedMessage: new asn1js.OctetString({ valueHex: new Uint8Array(root) })
  })
  return derOf(new TimeStampReq({ version: 1, messageImprint, nonce, certReq: true }).toSchema())
}

/** What RFC 3161 2.2 asks of a requester, short of the signature. Null when all of it holds. */
function checkBelongs(request: TimestampRequest, nonce: bigint, token: Token): Failure | null {
  const { hashAlgorithm, hashedMessage, nonce: answered } = token.info
  if (hashAlgorithm !== id_sha256 || !equalBytes(hashedMessage, request.root)) {
    return failure(request, 'TSA_IMPRINT', 'stamped something else than the root')
  }
  if (answered !== nonce) {
    return failure(request, 'TSA_NONCE', answered === undefined ? 'left the nonce out' : 'answered with another nonce')
  }
  if (token.certificates.length === 0)
    return failure(request, 'PROVIDER_MALFORMED', 'sent no certificate though asked to')
  return null
}

type Posted = { readonly ok: true; readonly body: Uint8Array } | Failure

async function post(request: TimestampRequest, query: Uint8Array<ArrayBuffer>): Promise<Posted> {
  const url = URL.canParse(request.url) ? new URL(request.url) : null
  if (url === null || !['http:', 'https:'].includes(url.protocol) || url.username !== '' || url.password !== '') {
    return failure(request, 'TSA_REQUEST_FAILED', 'needs an http or https URL without user name and password')
  }
  const exchange = new AbortController()
  const cancelTimeout = request.clock.after(request.timeoutMs, () => exchange.abort())
  try {
    const response = await fetch(url, {
      method: 'POST',
      headers: { 'content-type': QUERY_MEDIA_TYPE, accept: REPLY_MEDIA_TYPE },
      body: query,
      redirect: 'manual',
      signal: exchange.signal
    })
    return await readReply(request, response)
  } catch (error) {
    return exchange.signal.aborted
      ? failure(request, 'PROVIDER_TIMEOUT', `gave no whole answer within ${request.timeoutMs} ms`)
      : failure(request, 'TSA_REQUEST_FAILED', `could not be reached: ${reasonOf(error)}`)
  } finally {
    cancelTimeout()
    // Closes the connection of an answer that was not read to its end; does nothing to one that was.
    exchange.abort()
  }
}

async function readReply(request: TimestampRequest, response: Response): Promise<Posted> {
  if (response.status !== 200) {
    const redirect = response.status >= 300 && response.status < 400 ? ' (redirects are not followed)' : ''
    return failure(request, 'TSA_REQUEST_FAILED', `answered with HTTP status ${response.status}${redirect}`)
  }
  const mediaType = response.headers.get('content-type')?.split(';')[0]?.trim().toLowerCase()
  if (mediaType !== REPLY_MEDIA_TYPE) {
    const answered = mediaType ?? 'no content type'
    return failure(request, 'PROVIDER_MALFORMED', `answered with ${answered}, not ${REPLY_MEDIA_TYPE}`)
  }
  const chunks: Uint8Array[] = []
  let length = 0
  const body: AsyncIterable<Uint8Array> | null = response.body
  for await (const chunk of body ?? []) {
    length += chunk.length
    if (length > REPLY_BYTES_MAX) {
      return failure(request, 'PROVIDER_MALFORMED', `answered with more than ${REPLY_BYTES_MAX} bytes`)
    }
    chunks.push(chunk)
  }
  return { ok: true, body: concat(...chunks) }
}

function failure(request: TimestampRequest, code: TimestampRequestFailure, detail: string): Failure {
  return { ok: false, code, detail: `TSA ${request.tsa} ${detail}` }
}

/** `fetch` fails with "fetch failed" and keeps the reason in the cause. */
function reasonOf(error: unknown): string {
  return messageOf(error instanceof Error && error.cause !== undefined ? error.cause : error)
}
