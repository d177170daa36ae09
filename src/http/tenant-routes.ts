import type { FastifyReply, FastifyRequest } from 'fastify'
import { FEEDBACK_BYTES_MAX } from '../../protocols/feedback/v1/feedback.ts'
import { TELEMETRY_BYTES_MAX } from '../../protocols/telemetry/v1/telemetry.ts'
import type { Findings, Taken } from '../findings/findings.ts'
import type { RequestOrigin } from '../findings/audit.ts'
import type { FindingsReader } from '../findings/reader.ts'
import type { Clock } from '../platform/clock.ts'
import { maySeeTenant } from '../policy/read-scope.ts'
import { addressBlock } from './address-block.ts'
import { boundRate } from './address-rate.ts'
import { registerForBytes } from './body-forms.ts'
import { bytesOf } from './byte-bodies.ts'
import { RequestRefused } from './errors.ts'
import { answerNotModified } from './etag.ts'
import type { App } from './listener.ts'
import { readerOf } from './reader.ts'
import { noQuery } from './schemas.ts'
import * as docs from './tenant-docs.ts'
import * as schemas from './tenant-schemas.ts'
import { boundUnderWay } from './under-way.ts'

// Requests of one address (IPv6: of one network) in a minute. One costs a signature and two synced writes; the agents of
// an organisation behind one address report ten times a second.
export const TENANT_REQUESTS_PER_MINUTE = 600
// Reports that come in or are being taken, each up to 256 KiB; a stranger can keep one open for as long as a request may
// take. As many as may wait for their turn, and more that are on their way: 128 MiB, a quarter of it for one address.
const REPORTS_UNDER_WAY = { all: 512, ofHolder: 128 } as const

/** `/v1/tenants/{tenant}`: telemetry, findings and feedback (protocols/telemetry/v1, protocols/feedback/v1). */
export function registerTenantRoutes(app: App, findings: Findings, clock: Clock): void {
  registerReading(app, findings.reader)
  registerTaking(app, findings, clock)
}

function registerReading(app: App, reader: FindingsReader): void {
  app.get('/v1/tenants/:tenant/findings', {
    schema: {
      params: schemas.tenantParams,
      querystring: schemas.findingsQuery,
      ...docs.FINDINGS_DOCS
    },
    onSend: answerNotModified,
    handler: async (request) => {
      const { params, query } = request
      await requireTenant(request, reader, params.tenant)
      return await reader.page(params.tenant, query)
    }
  })
  app.get('/v1/tenants/:tenant/findings/:findingId', {
    schema: {
      params: schemas.findingParams,
      querystring: schemas.momentQuery,
      ...docs.FINDING_DOCS
    },
    onSend: answerNotModified,
    handler: async (request) => {
      const { tenant, findingId } = request.params
      await requireTenant(request, reader, tenant)
      const found = await reader.one(tenant, findingId, request.query)
      if (found === null) throw new RequestRefused('NOT_FOUND', `${tenant} has no finding ${findingId} here`)
      return found
    }
  })
  app.get('/v1/tenants/:tenant/feedback', {
    schema: {
      params: schemas.tenantParams,
      querystring: schemas.feedbackQuery,
      ...docs.FEEDBACK_DOCS
    },
    onSend: answerNotModified,
    handler: async (request) => {
      const { params, query } = request
      await requireTenant(request, reader, params.tenant)
      return await reader.feedbackPage(params.tenant, query)
    }
  })
}

function registerTaking(app: App, findings: Findings, clock: Clock): void {
  const withinRate = boundRate(TENANT_REQUESTS_PER_MINUTE, clock)
  // What JSON.parse drops, a second member of one name, is what must be refused.
  registerForBytes(app, 'application/json', (scope) => {
    scope.post('/v1/tenants/:tenant/telemetry', {
      bodyLimit: TELEMETRY_BYTES_MAX,
      schema: {
        params: schemas.tenantParams,
        querystring: noQuery,
        ...docs.TELEMETRY_DOCS
      },
      preParsing: [withinRate, boundUnderWay(REPORTS_UNDER_WAY)],
      handler: async (request, reply) => {
        const { tenant } = request.params
        answer(reply, await findings.takeTelemetry(tenant, bytesOf(request), originOf(request)))
      }
    })
    scope.post('/v1/tenants/:tenant/feedback', {
      bodyLimit: FEEDBACK_BYTES_MAX,
      schema: {
        params: schemas.tenantParams,
        querystring: noQuery,
        ...docs.JUDGE_DOCS
      },
      preParsing: withinRate,
      handler: async (request, reply) => {
        const { tenant } = request.params
        answer(reply, await findings.takeFeedback(tenant, bytesOf(request), originOf(request)))
      }
    })
  })
}

/**
 * Throws `ACCESS_DENIED` where the reader may not see the tenant, whether there is one or not, and `NOT_FOUND` for one of
 * which this node knows nothing: an empty answer would hide a slip of the keyboard.
 */
async function requireTenant(request: FastifyRequest, reader: FindingsReader, tenant: string): Promise<void> {
  if (!maySeeTenant(readerOf(request), tenant))
    throw new RequestRefused('ACCESS_DENIED', `this reader may not see the tenant ${tenant}`)
  if (await reader.knows(tenant)) return
  throw new RequestRefused('NOT_FOUND', `no namespace that is carried here belongs to the tenant ${tenant}`)
}

function originOf({ ip, id }: FastifyRequest): RequestOrigin {
  return { address: addressBlock(ip), requestId: id }
}

function answer(reply: FastifyReply, taken: Taken<unknown>): void {
  if (!taken.ok) throw new RequestRefused(taken.code, taken.detail)
  reply.code(201).send(taken.answer)
}
