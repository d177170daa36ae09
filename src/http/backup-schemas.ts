import { z } from 'zod'
import type { BackupMade, BackupRequest } from '../backup/make-backup.ts'

export const backupRequest = z.strictObject({
  directory: z.string().min(1).max(4_096),
  withoutKeys: z.boolean().default(false)
}) satisfies z.ZodType<BackupRequest>

export const backupMade: z.ZodType<BackupMade> = z.object({
  directory: z.string(),
  epoch: z.string(),
  logSeq: z.number(),
  headHash: z.string(),
  files: z.number(),
  bytes: z.number(),
  warnings: z.array(z.string())
})
