import type { FastifyReply, FastifyRequest } from 'fastify'
import type { BundleErrorCode } from '../../protocols/bundle/v1/answer.ts'
import { REQUEST_BYTES_MAX } from '../../protocols/bundle/v1/request.ts'
import { decodeSigned } from '../../protocols/bundle/v1/signed.ts'
import { CHALLENGE_BYTES_MAX } from '../../protocols/delivery/v1/request.ts'
import { EVENT_BYTES_MAX } from '../../protocols/event/v1/envelope.ts'
import type { FederationServing } from '../deliveries/federation.ts'
import type { Clock } from '../platform/clock.ts'
import { addressBlock } from './address-block.ts'
import { boundRate } from './address-rate.ts'
import { answerOutcome } from './answer-outcome.ts'
import { registerForBytes } from './body-forms.ts'
import { WIRE_MEDIA_TYPE, bytesOf, whenTooLarge } from './byte-bodies.ts'
import type { HttpCode } from './errors.ts'
import { RequestRefused } from './errors.ts'
import * as docs from './federation-docs.ts'
import type { App } from './listener.ts'
import { noQuery } from './schemas.ts'
import { boundUnderWay } from './under-way.ts'

// Requests of one address (IPv6: of one network) in a minute. Ten a second are more than a partner has reason to send,
// and the body and signature of each cost a few milliseconds at most.
export const FEDERATION_REQUESTS_PER_MINUTE = 600
// Deliveries that come in or are being taken, each up to 1 MiB; a stranger can keep one open for as long as a request may
// take, so no address has more than a few.
export const DELIVERIES_UNDER_WAY = { all: 64, ofHolder: 16 } as const

/** The codes of BU-19 as those that HTTP has for the same. */
const REQUEST_CODES: Readonly<Record<BundleErrorCode, HttpCode>> = {
  'bad-request': 'SCHEMA_INVALID',
  'too-big': 'BODY_TOO_LARGE',
  'wrong-audience': 'WRONG_AUDIENCE',
  denied: 'ACCESS_DENIED',
  skew: 'TIMESTAMP_SKEW',
  'bad-signature': 'SIGNATURE_INVALID',
  'unknown-key': 'NODE_UNKNOWN',
  replay: 'REPLAY',
  'not-held': 'NOT_FOUND',
  busy: 'OVERLOADED'
}

/**
 * What partners do over HTTP: `POST /federation/announce` and `/federation/request` with the bytes of the mesh, and
 * `/v1/federation/challenge`, `deliver` and `node` (protocols/delivery/v1).
 */
export function registerFederation(app: App, federation: FederationServing, clock: Clock): void {
  app.get('/v1/federation/node', {
    schema: { querystring: noQuery, ...docs.NODE_DOCS },
    handler: async (_request, reply) => await reply.header('cache-control', 'no-cache').send(federation.document())
  })
  const limit = boundRate(FEDERATION_REQUESTS_PER_MINUTE, clock)
  registerWireRoutes(app, federation, limit)
  registerSignedRoutes(app, federation, limit)
}

type Limit = (request: FastifyRequest) => Promise<void>

function registerWireRoutes(app: App, federation: FederationServing, limit: Limit): void {
  registerForBytes(app, WIRE_MEDIA_TYPE, (scope) => {
    scope.addHook('preParsing', limit)
    scope.post('/federation/announce', {
      bodyLimit: EVENT_BYTES_MAX,
      schema: { querystring: noQuery, ...docs.ANNOUNCE_DOCS },
      handler: async (request, reply) => {
        const outcome = await federation.announce(bytesOf(request), addressBlock(request.ip))
        return answerOutcome(reply, outcome, request.id)
      },
      // Beyond the size of an event, so the door need not be asked.
      errorHandler: whenTooLarge(EVENT_BYTES_MAX, (reply, told, requestId) =>
        answerOutcome(reply, { ...told, id: null }, requestId)
      )
    })
    scope.post('/federation/request', {
      bodyLimit: REQUEST_BYTES_MAX,
      schema: { querystring: noQuery, ...docs.REQUEST_DOCS },
      handler: async (request, reply) => {
        const wire = bytesOf(request)
        const answer = await federation.request(wire, addressBlock(request.ip))
        if (!answer.ok) throw new RequestRefused(requestCode(answer.code, answer.detail, wire), answer.detail)
        return await unstored(reply).type(WIRE_MEDIA_TYPE).send(Buffer.from(answer.page))
      }
    })
  })
}

function registerSignedRoutes(app: App, federation: FederationServing, limit: Limit): void {
  registerForBytes(app, 'application/json', (scope) => {
    scope.addHook('preParsing', limit)
    const underWay = boundUnderWay(DELIVERIES_UNDER_WAY)
    scope.post('/v1/federation/challenge', {
      bodyLimit: CHALLENGE_BYTES_MAX,
      schema: { querystring: noQuery, ...docs.CHALLENGE_DOCS },
      handler: async (request, reply) => {
        const answer = await federation.challenge(bytesOf(request), addressBlock(request.ip))
        if (!answer.ok) throw new RequestRefused(answer.code, answer.detail)
        return await unstored(reply).code(201).send(answer.value)
      }
    })
    scope.post('/v1/federation/deliver', {
      preParsing: underWay,
      schema: { querystring: noQuery, ...docs.DELIVER_DOCS },
      handler: async (request, reply) => {
        const answer = await federation.deliver(bytesOf(request), addressBlock(request.ip))
        if (!answer.ok) throw new RequestRefused(answer.code, answer.detail)
        return await unstored(reply).code(201).send({ receipt: answer.value })
      }
    })
  })
}

function unstored<Reply extends FastifyReply>(reply: Reply): Reply {
  return reply.header('cache-control', 'no-store') as Reply
}

function requestCode(code: BundleErrorCode, detail: string, wire: Uint8Array): HttpCode {
  // What is not even signed bytes is malformed; the members of what is are a matter of schema.
  if (code === 'bad-request' && !decodeSigned(wire, 'bundle-request', REQUEST_BYTES_MAX).ok) return 'BODY_MALFORMED'
  if (code === 'denied' && detail.startsWith('CROSS_ORG_DENIED:')) return 'CROSS_ORG_DENIED'
  return REQUEST_CODES[code]
}
