import type { Operations, ProgressListener } from '../operations.ts'
import { backupRequest } from './backup-schemas.ts'
import { registerForJson } from './body-forms.ts'
import { LINES_MEDIA_TYPE } from './lines.ts'
import type { App, RouteContext } from './listener.ts'
import * as schemas from './schemas.ts'
import { lineStream, workLines } from './streams.ts'

/** `POST /v1/admin/backup` `{directory, withoutKeys}`: progress lines, then the result. */
export function registerBackupRoutes(
  app: App,
  operations: Pick<Operations, 'backup'>,
  { clock, streamOf }: RouteContext
): void {
  registerForJson(app, (scope) => {
    scope.post(
      '/v1/admin/backup',
      { schema: { querystring: schemas.noQuery, body: backupRequest } },
      (request, reply) => {
        const run = (onProgress: ProgressListener): Promise<unknown> => operations.backup(request.body, onProgress)
        return reply
          .type(LINES_MEDIA_TYPE)
          .send(lineStream(workLines(run, clock), streamOf(request, reply, 'by-itself')))
      }
    )
  })
}
