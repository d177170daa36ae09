import type { FastifyReply, FastifyRequest } from 'fastify'
import type { AuditEntry, CountingTrail } from '../platform/audit.ts'
import { onBehalfOf } from '../platform/request-scope.ts'
import { addressBlock } from './address-block.ts'
import { statusOf } from './errors.ts'
import { PROBLEM_MEDIA_TYPE } from './failures.ts'
import type { App, RouteContext } from './listener.ts'

/** What reads only, although it is no GET: the rest of a request would have no place in its address. */
const READING: ReadonlySet<string> = new Set([
  '/v1/admin/log/verify',
  '/v1/admin/audit/verify',
  '/v1/admin/receipts/proof'
])
/** Of somebody who has shown no right to ask; these are counted. */
const STRANGERS: ReadonlySet<string> = new Set(['ADMIN_TOKEN_INVALID', 'HOST_NOT_ALLOWED'])
/** What a request can name that says what it is about. */
const NAMES = ['namespace', 'batchId', 'orgId', 'kid', 'receipt', 'chainId', 'rail', 'peer', 'reason'] as const

/**
 * Records each call of the admin listener that may change something, with its outcome, and counts those without the
 * token. Call it before the routes are registered, and register them with the context that it returns: work whose
 * answer had begun fails without a status.
 */
export function auditCalls(app: App, audit: CountingTrail, context: RouteContext): RouteContext {
  const codes = new WeakMap<object, string>()
  // Once the body was read: its events come from the connection, which others used before.
  app.addHook('preHandler', (request, _reply, done) => onBehalfOf(request.id, done))
  app.addHook('onSend', async (request, reply, payload: unknown) => {
    if (reply.getHeader('content-type') === PROBLEM_MEDIA_TYPE) codes.set(request.raw, codeIn(payload))
    return payload
  })
  app.addHook('onResponse', async (request, reply) => {
    const code = codes.get(request.raw) ?? null
    const path = request.routeOptions.url
    const subject = `${request.method} ${path ?? 'unknown'}`
    if (code !== null && STRANGERS.has(code)) {
      audit.count({ action: 'ADMIN_CALL', actor: addressBlock(request.ip), subject, outcome: 'refused', code })
      return
    }
    const isReading = request.method === 'GET' || request.method === 'HEAD' || path === undefined || READING.has(path)
    if (!isReading) audit.record(callEntry(request, reply, subject, code))
  })
  return {
    ...context,
    streamOf: (request, reply, ends) => {
      const stream = context.streamOf(request, reply, ends)
      const describe: typeof stream.describe = (error) => {
        const told = stream.describe(error)
        codes.set(request.raw, told.code)
        return told
      }
      return { ...stream, describe }
    }
  }
}

function callEntry(request: FastifyRequest, reply: FastifyReply, subject: string, told: string | null): AuditEntry {
  // What was asked for may go on; who asked did not hear of it.
  const code = told ?? (reply.raw.writableFinished ? null : 'ANSWER_CUT')
  const outcome = code === null ? 'ok' : told !== null && statusOf(told) < 500 ? 'refused' : 'failed'
  const detail = { ...named(request.body), ...named(request.query), status: reply.statusCode }
  return { action: 'ADMIN_CALL', actor: 'operator', subject, outcome, code, requestId: request.id, detail }
}

function named(source: unknown): Record<string, string> {
  if (typeof source !== 'object' || source === null) return {}
  const values = source as Readonly<Record<string, unknown>>
  return Object.fromEntries(
    NAMES.flatMap((name) => {
      const value = Object.hasOwn(values, name) ? values[name] : undefined
      return typeof value === 'string' ? [[name, value]] : []
    })
  )
}

/** Problems are sent as bytes. */
function codeIn(payload: unknown): string {
  if (!(payload instanceof Uint8Array)) return 'UNKNOWN'
  const { code } = JSON.parse(Buffer.from(payload).toString('utf8')) as { readonly code?: unknown }
  return typeof code === 'string' ? code : 'UNKNOWN'
}
