import { hash } from 'node:crypto'
import type { onSendHookHandler } from 'fastify'

/**
 * An `onSend` hook: gives an answer a strong ETag, the hash of its bytes, and answers 304 to a client that has these
 * bytes (RFC 9110 section 13.1.2). One that the answer has already stays.
 */
export const answerNotModified: onSendHookHandler = (request, reply, payload, done) => {
  if (reply.statusCode !== 200 || typeof payload !== 'string') {
    done(null, payload)
    return
  }
  const known = reply.getHeader('etag')
  const etag = typeof known === 'string' ? known : `"${hash('sha256', payload, 'base64url')}"`
  reply.header('etag', etag)
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

/** The weak comparison that RFC 9110 asks for here. */
function matches(header: string | undefined, etag: string): boolean {
  if (header === undefined) return false
  if (header.trim() === '*') return true
  return header.split(',').some((tag) => tag.trim().replace(/^W\//, '') === etag)
}
