import { z } from 'zod'
import { frame } from '../api/frames.ts'
import { namespace } from '../api/values.ts'
import { documented } from './route-docs.ts'

/** `GET /v1/subscribe`. */
export const subscribeQuery = z.strictObject({
  projection: z.string().min(1).max(64).meta({ description: 'Whose rows to follow.', example: 'winners' }),
  namespace: namespace.meta({ description: 'Only rows of this namespace.', example: 'dao:vaultmesh' }).exactOptional(),
  // A key of a row in base64url, with what tells one log from another; the longest keys hold two names and a DID.
  cursor: z
    .string()
    .min(1)
    .max(4_096)
    .meta({ description: 'Where to go on: the cursor of the last frame that was dealt with.', example: 'WyJzdWJzY3Jp' })
    .exactOptional(),
  /** Instead of a token, for browsers' EventSource and WebSocket, which can't send a header. */
  ticket: z
    .string()
    .min(1)
    .max(256)
    .meta({ description: 'What `POST /v1/tickets` gave.', example: 'Zm9yIDYwIHNlY29uZHM' })
    .exactOptional()
})
export type SubscribeQuery = z.output<typeof subscribeQuery>

export const SUBSCRIBE_DOCS = documented({
  summary: 'Rows, then each change as it comes',
  description:
    'As Server-Sent Events, or by upgrade as WebSocket, with the same frames (protocols/subscription/v1): all rows or ' +
    'what changed since the cursor, `caught-up`, then changes. `Last-Event-ID` wins over `cursor`.',
  tag: 'subscriptions',
  access: 'follower',
  answers: {},
  others: {
    200: { description: 'Frames, one an event.', mediaType: 'text/event-stream', schema: frame }
  },
  empty: { 101: 'Frames, one a message of the WebSocket.' },
  problems: [
    'UNKNOWN_PROJECTION',
    'CURSOR_FOREIGN',
    'CURSOR_FUTURE',
    'CURSOR_TOO_OLD',
    'PROJECTION_HALTED',
    'TOO_MANY_SUBSCRIBERS'
  ]
})
