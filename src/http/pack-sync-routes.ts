import type { FastifyReply } from 'fastify'
import { z } from 'zod'
import type { PackErrorCode, PushOutcome } from '../../protocols/pack-sync/v1/message.ts'
import { EVENT_BYTES_MAX } from '../../protocols/event/v1/envelope.ts'
import type { Operations } from '../operations.ts'
import type { PackAsker, PackServing } from '../pack-sync/server.ts'
import type { PackRefusal } from '../pack-sync/transport.ts'
import type { Clock } from '../platform/clock.ts'
import { addressBlock } from './address-block.ts'
import { boundRate } from './address-rate.ts'
import { registerForBytes } from './body-forms.ts'
import { WIRE_BODY, WIRE_MEDIA_TYPE, bytesOf, whenTooLarge } from './byte-bodies.ts'
import type { HttpCode } from './errors.ts'
import { RequestRefused, problem, statusOf } from './errors.ts'
import { sendProblem } from './failures.ts'
import type { App, RouteContext } from './listener.ts'
import { LINES_MEDIA_TYPE } from './lines.ts'
import { EVENT_CODES, documented } from './route-docs.ts'
import * as schemas from './pack-sync-schemas.ts'
import { lineStream, workLines } from './streams.ts'

// Requests of one address (IPv6: of one network) in a minute. A page costs some milliseconds and gives up to 256 events, a pushed event a
// verification; an organisation with a year of hourly packs is through in two minutes.
export const PACK_REQUESTS_PER_MINUTE = 120

/** The codes of PS-14 as those that HTTP has for the same. */
const HTTP_CODES: Readonly<Record<PackErrorCode, HttpCode>> = {
  'bad-request': 'QUERY_INVALID',
  'too-big': 'BODY_TOO_LARGE',
  'bad-token': 'BAD_TOKEN',
  'unknown-organisation': 'UNKNOWN_ORGANISATION',
  denied: 'CROSS_ORG_DENIED',
  busy: 'OVERLOADED'
}

const PAGE_DOCS = documented({
  summary: 'A page of the packs of an organisation',
  description: 'In their order, each as it was signed (protocols/pack-sync/v1).',
  tag: 'federation',
  access: 'anyone',
  answers: {},
  others: { 200: { description: 'The page.', mediaType: 'application/json', schema: z.looseObject({}) } },
  problems: ['BAD_TOKEN', 'UNKNOWN_ORGANISATION', 'CROSS_ORG_DENIED', 'BODY_TOO_LARGE']
})
const PUSH_DOCS = documented({
  summary: 'Hands over a pack',
  description: 'An event of type `anchor-pack`, in its wire form; it enters by the same door as from anywhere else.',
  tag: 'federation',
  access: 'anyone',
  answers: { 200: schemas.pushOutcome, 201: schemas.pushOutcome, 202: schemas.pushOutcome },
  body: WIRE_BODY,
  problems: [...EVENT_CODES, 'CROSS_ORG_DENIED', 'UNKNOWN_ORGANISATION']
})

/** `GET /v1/packs/{orgId}` and `POST /v1/packs` on the public listener (protocols/pack-sync/v1, PS-15). */
export function registerPackServing(app: App, packs: PackServing, clock: Clock): void {
  const limit = boundRate(PACK_REQUESTS_PER_MINUTE, clock)
  app.get('/v1/packs/:orgId', {
    schema: { params: schemas.packParams, querystring: schemas.packQuery, ...PAGE_DOCS },
    preParsing: limit,
    handler: async ({ params, query, ip }, reply) => {
      const { after = 0, limit: packsMax = schemas.PACK_LIMIT_DEFAULT, pageToken, links } = query
      const token = pageToken === undefined ? {} : { pageToken }
      const page = { orgId: params.orgId, afterPackSeq: after, limit: packsMax, ...token }
      const answer = await packs.packPage({ ...page, ...(links ? { links } : {}) }, askerAt(ip))
      if (!answer.ok) throw refusedBy(answer)
      reply.header('cache-control', 'no-store')
      return await reply.type('application/json').send(Buffer.from(answer.page))
    }
  })
  registerForBytes(app, WIRE_MEDIA_TYPE, (scope) => {
    scope.post('/v1/packs', {
      bodyLimit: EVENT_BYTES_MAX,
      schema: { querystring: schemas.noPackQuery, ...PUSH_DOCS },
      preParsing: limit,
      handler: async (request, reply) => {
        const answer = await packs.takePack(bytesOf(request), askerAt(request.ip))
        if (!answer.ok) throw refusedBy(answer)
        return answerPush(reply, answer.outcome, request.id)
      },
      errorHandler: whenTooLarge(EVENT_BYTES_MAX, answerPush)
    })
  })
}

/** Packs beside the mesh on the admin listener: what is planned, and long work as progress lines and a result. */
export function registerPackSyncRoutes(app: App, operations: Operations, { clock, streamOf }: RouteContext): void {
  app.get('/v1/admin/packs/plan', {
    schema: { querystring: schemas.packSyncQuery, response: { 200: schemas.syncPlan } },
    handler: async ({ query }) => await operations.planPackSync(query)
  })
  app.post('/v1/admin/packs/pull', { schema: { querystring: schemas.packSyncQuery } }, (request, reply) => {
    const lines = workLines((onProgress) => operations.pullPacks(request.query, onProgress), clock)
    return reply.type(LINES_MEDIA_TYPE).send(lineStream(lines, streamOf(request, reply, 'by-itself')))
  })
  app.post('/v1/admin/packs/push', { schema: { querystring: schemas.packPushQuery } }, (request, reply) => {
    const lines = workLines((onProgress) => operations.pushPacks(request.query, onProgress), clock)
    return reply.type(LINES_MEDIA_TYPE).send(lineStream(lines, streamOf(request, reply, 'by-itself')))
  })
}

function askerAt(ip: string): PackAsker {
  return { did: null, address: addressBlock(ip), via: 'http' }
}

function refusedBy(refusal: PackRefusal): RequestRefused {
  const code = refusal.reason === 'refused' ? HTTP_CODES[refusal.code] : 'OVERLOADED'
  return new RequestRefused(code, refusal.detail)
}

function answerPush(reply: FastifyReply, told: PushOutcome, requestId: string): FastifyReply {
  const { outcome, code, detail } = told
  if (outcome === 'accepted') return reply.code(201).send(told)
  if (outcome === 'duplicate') return reply.code(200).send(told)
  if (outcome === 'pending') return reply.code(statusOf(code)).send(told)
  return sendProblem(reply, problem(code, detail, requestId, { outcome }))
}
