import { createHash, timingSafeEqual } from 'node:crypto'
import { RequestRefused } from './errors.ts'
import type { App } from './listener.ts'

/** Refuses every request that does not show the token (RFC 6750), before any of its body is read. */
export function requireToken(app: App, token: string): void {
  // Hashes have one length, so that the comparison tells nothing of the token's.
  const expected = sha256(token)
  app.addHook('onRequest', async (request, reply) => {
    const shown = /^Bearer +([A-Za-z0-9._~+/=-]+)$/i.exec(request.headers.authorization ?? '')?.[1]
    if (shown !== undefined && timingSafeEqual(sha256(shown), expected)) return
    reply.header('www-authenticate', 'Bearer')
    throw new RequestRefused(
      'ADMIN_TOKEN_INVALID',
      'the admin listener asks for the token in run/admin.json',
      'Read it from the data folder of the node that runs now.'
    )
  })
}

function sha256(text: string): Buffer {
  return createHash('sha256').update(text).digest()
}
