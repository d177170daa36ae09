import type { NodeRegister } from '../partners/partner-registry.ts'
import { registerForJson } from './body-forms.ts'
import { RequestRefused } from './errors.ts'
import * as schemas from './federation-schemas.ts'
import type { App } from './listener.ts'
import { noQuery } from './schemas.ts'

/**
 * `POST`, `GET` and `DELETE /v1/admin/nodes`: the keys of nodes outside the mesh. 201 for a new key, 200 for the same
 * again, 409 `KEY_EXISTS`, 422 for a key that is none.
 */
export function registerNodeRoutes(app: App, nodes: NodeRegister): void {
  app.get('/v1/admin/nodes', {
    schema: { querystring: noQuery, response: { 200: schemas.registeredKeys } },
    handler: async (_request, reply) => await reply.send({ nodes: [...nodes.registered()] })
  })
  app.delete('/v1/admin/nodes', {
    schema: { querystring: schemas.registeredKeyQuery, response: { 200: schemas.registeredKeyQuery } },
    handler: async ({ query }) => {
      const { did, kid } = query
      if (!(await nodes.unregister(did, kid)))
        throw new RequestRefused('NOT_FOUND', `no key ${kid} of ${did} is registered`)
      return { did, kid }
    }
  })
  registerForJson(app, (scope) => {
    scope.post('/v1/admin/nodes', {
      schema: {
        querystring: noQuery,
        body: schemas.nodeRegistration,
        response: { 200: schemas.registeredKey, 201: schemas.registeredKey }
      },
      handler: async ({ body }, reply) => {
        const registration = await nodes.register(body)
        if (!registration.ok) throw new RequestRefused('BODY_INVALID', registration.detail)
        return await reply.code(registration.isNew ? 201 : 200).send(registration.registered)
      }
    })
  })
}
