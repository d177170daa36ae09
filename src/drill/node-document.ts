import { z } from 'zod'

/** What a drill reads in a node document (DE-23). Further members may be there. */
export const nodeDocumentSchema = z.looseObject({
  did: z.string(),
  keys: z.array(z.looseObject({ kid: z.string(), publicKey: z.string(), status: z.string() })).max(1_000)
})
export type NodeDocument = z.output<typeof nodeDocumentSchema>
