import type { Operations } from '../operations.ts'
import { configReloaded } from './config-schemas.ts'
import type { App } from './listener.ts'
import * as schemas from './schemas.ts'

/** The routes below `/v1/admin/config`. */
export function registerConfigRoutes(app: App, operations: Pick<Operations, 'reloadConfig'>): void {
  app.post('/v1/admin/config/reload', {
    schema: { querystring: schemas.noQuery, response: { 200: configReloaded } },
    handler: async () => await operations.reloadConfig()
  })
}
