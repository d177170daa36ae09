import { z } from 'zod'

const time = z.int().describe('Milliseconds since 1970.')

/** What a partner handed to this node over HTTP. All of it is local. */
export const deliveryRow = z
  .object({
    namespace: z.string(),
    deliveryHash: z.string().describe('SHA-256 of what was signed; its receipt names it.'),
    from: z.string().describe('The DID that signed.'),
    kid: z.string(),
    bytes: z.int(),
    ts: time,
    status: z.enum(['held', 'forgotten']).describe('`forgotten`: the payload was erased here.'),
    takenAt: time,
    logSeq: z.int()
  })
  .meta({ id: 'DeliveryRow' })
