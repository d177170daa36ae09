import { z } from 'zod'
import type { ConfigReloaded } from '../policy/config-change.ts'

const value = z.json()

/** What a reload of the configuration came to. */
export const configReloaded: z.ZodType<ConfigReloaded> = z.object({
  changes: z.array(z.object({ key: z.string(), before: value, after: value, needsRestart: z.boolean() })),
  isNewPolicy: z.boolean()
})
