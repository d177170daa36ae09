import type { FastifyError, FastifyReply, FastifyRequest } from 'fastify'
import { z } from 'zod'
import { discardRest } from './deadlines.ts'
import type { RawBody } from './route-docs.ts'

/** The media type of what is sent in the bytes that the mesh has. */
export const WIRE_MEDIA_TYPE = 'application/octet-stream'

/** Such a body or answer, for the documentation. */
export const WIRE_BODY: RawBody = { mediaType: WIRE_MEDIA_TYPE, schema: z.string().meta({ format: 'binary' }) }

/** The body of a request to a route that takes bytes; empty where none came. */
export function bytesOf({ body }: FastifyRequest): Uint8Array {
  return body instanceof Uint8Array ? body : new Uint8Array()
}

/** What the door would say of an event that is too large to be read at all. */
interface TooLarge {
  readonly outcome: 'rejected'
  readonly code: 'EVENT_TOO_LARGE'
  readonly detail: string
}

/** The `errorHandler` of a route that takes an event: a body beyond its limit is answered as an event is. */
export function whenTooLarge(
  bytesMax: number,
  answer: (reply: FastifyReply, told: TooLarge, requestId: string) => FastifyReply
): (error: FastifyError, request: FastifyRequest, reply: FastifyReply) => void {
  return (error, request, reply) => {
    if (error.code !== 'FST_ERR_CTP_BODY_TOO_LARGE') throw error
    discardRest(request.raw)
    reply.removeHeader('connection')
    const detail = `more than ${bytesMax} bytes`
    answer(reply, { outcome: 'rejected', code: 'EVENT_TOO_LARGE', detail }, request.id)
  }
}
