import { hash } from 'node:crypto'
import type { FastifyReply, onSendHookHandler } from 'fastify'

/**
 * An `onSend` hook: gives an answer a strong ETag, the hash of its bytes, and answers 304 to a client that has these
 * bytes (RFC 9110 section 13.1.2). One that the answer has already stays.
 */
export const answerNotModified: onSendHookHandler = (request, reply, payload, done) => {
  if (reply.statusCode !== 200 || typeof payload !== 'string') {
    done(null, payload)
    return
  }
  const etag = tagged(reply, payload)
  // A cache may keep the answer, but has to ask before it uses it: the next event changes it.
  reply.header('cache-control', 'no-cache')
  if (!matches(request.headers['if-none-match'], etag)) {
    done(null, payload)
    return
  }
  reply.code(304)
  // For HEAD fastify says the length of what it then leaves out: that of the answer which the client has.
  done(null, request.method === 'HEAD' ? payload : null)
}

/** The ETag that the answer has; gives it one if it has none. */
export function tagged(reply: FastifyReply, payload: string): string {
  const known = reply.getHeader('etag')
  if (typeof known === 'string') return known
  const etag = `"${hash('sha256', payload, 'base64url')}"`
  reply.header('etag', etag)
  return etag
}

/** The weak comparison that RFC 9110 asks for here. */
function matches(header: string | undefined, etag: string): boolean {
  if (header === undefined) return false
  if (header.trim() === '*') return true
  return header.split(',').some((tag) => tag.trim().replace(/^W\//, '') === etag)
}
