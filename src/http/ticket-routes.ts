import type { ReaderAccess } from '../access/reader-access.ts'
import { RequestRefused } from './errors.ts'
import type { App } from './listener.ts'
import { tokenGrantOf } from './reader.ts'
import { documented } from './route-docs.ts'
import { noQuery } from './schemas.ts'
import { ticket } from './token-schemas.ts'

/** `POST /v1/tickets`: a short-lived stand-in for the token of the request, for browsers' EventSource. */
export function registerTicketRoutes(app: App, readers: Pick<ReaderAccess, 'ticketFor'>): void {
  app.post('/v1/tickets', {
    schema: {
      querystring: noQuery,
      ...documented({
        summary: 'A ticket for a subscription',
        description: 'Stands for the token of the request for 60 s, as `ticket` of `GET /v1/subscribe`.',
        tag: 'subscriptions',
        access: 'token',
        answers: { 201: ticket },
        problems: ['BODY_TOO_LARGE', 'MEDIA_TYPE_UNSUPPORTED']
      })
    },
    handler: async (request, reply) => {
      const grant = tokenGrantOf(request)
      if (grant === null) {
        reply.header('www-authenticate', 'Bearer')
        throw new RequestRefused('TOKEN_REQUIRED', 'a ticket stands for a token', 'Show the token with this request.')
      }
      if (!grant.rights.includes('read')) throw new RequestRefused('ACCESS_DENIED', 'this token reads nothing')
      const issued = readers.ticketFor(grant.tokenId)
      if (issued === null) throw new RequestRefused('RATE_LIMITED', 'this token has too many tickets that still live')
      return await reply.header('cache-control', 'no-store').code(201).send(issued)
    }
  })
}
