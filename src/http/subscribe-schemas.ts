import { z } from 'zod'
import { namespace } from './name-schemas.ts'

/** `GET /v1/subscribe`. */
export const subscribeQuery = z.strictObject({
  projection: z.string().min(1).max(64),
  namespace: namespace.exactOptional(),
  // A key of a row in base64url, with what tells one log from another; the longest keys hold two names and a DID.
  cursor: z.string().min(1).max(4_096).exactOptional(),
  /** Instead of a token, for browsers' EventSource and WebSocket, which can't send a header. */
  ticket: z.string().min(1).max(256).exactOptional()
})
export type SubscribeQuery = z.output<typeof subscribeQuery>
