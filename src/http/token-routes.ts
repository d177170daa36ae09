import type { TokenOperations } from '../access/token-operations.ts'
import { registerForJson } from './body-forms.ts'
import type { App } from './listener.ts'
import { noQuery } from './schemas.ts'
import * as tokens from './token-schemas.ts'

/** The routes of access tokens below `/v1/admin`. */
export function registerTokenRoutes(app: App, operations: TokenOperations): void {
  app.get('/v1/admin/tokens', {
    schema: { querystring: noQuery, response: { 200: tokens.tokenViews } },
    handler: async () => await operations.tokens()
  })
  app.post('/v1/admin/tokens/:id/revoke', {
    schema: { params: tokens.tokenParams, querystring: noQuery, response: { 200: tokens.tokenView } },
    handler: async ({ params }) => await operations.revokeToken(params.id)
  })
  registerForJson(app, (scope) => {
    scope.post('/v1/admin/tokens', {
      schema: { querystring: noQuery, body: tokens.tokenRequest, response: { 201: tokens.createdToken } },
      handler: async ({ body }, reply) => {
        return await reply.code(201).send(await operations.createToken(body))
      }
    })
  })
}
