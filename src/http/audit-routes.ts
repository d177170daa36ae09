import type { ProgressListener } from '../operations.ts'
import type { AuditOperations } from '../audit/operations.ts'
import { auditQuery } from './audit-schemas.ts'
import { LINES_MEDIA_TYPE } from './lines.ts'
import type { App, RouteContext } from './listener.ts'
import { noQuery } from './schemas.ts'
import { lineStream, linesOf, workLines } from './streams.ts'

/** The routes of the audit log below `/v1/admin`. */
export function registerAuditRoutes(app: App, operations: AuditOperations, { clock, streamOf }: RouteContext): void {
  app.get('/v1/admin/audit', { schema: { querystring: auditQuery } }, (request, reply) => {
    const stream = streamOf(request, reply, request.query.follow === true ? 'never' : 'by-itself')
    const records = operations.audit(request.query, stream.signal)
    return reply.type(LINES_MEDIA_TYPE).send(lineStream(linesOf(records), stream))
  })
  app.post('/v1/admin/audit/verify', { schema: { querystring: noQuery } }, (request, reply) => {
    const verify = (onProgress: ProgressListener): Promise<unknown> => operations.verifyAudit(onProgress)
    const stream = streamOf(request, reply, 'by-itself')
    return reply.type(LINES_MEDIA_TYPE).send(lineStream(workLines(verify, clock), stream))
  })
}
