import { readFile, rm } from 'node:fs/promises'
import { dirname } from 'node:path'
import { z } from 'zod'
import { AnchormeshError } from '../../platform/errors.ts'
import { ensureFolder, errnoOf, writeAtomically } from '../../platform/atomic-file.ts'
import { dataPaths } from './paths.ts'

const adminFileSchema = z.strictObject({
  pid: z.int().min(1),
  url: z.url({ protocol: /^https?$/ }),
  token: z.string().min(1),
  // SHA-256 of the certificate that the listener shows, with https alone.
  pin: z
    .string()
    .regex(/^[0-9a-f]{64}$/)
    .exactOptional()
})

/** `run/admin.json`: where the node that serves this folder listens for its operator, and the bearer token to use. */
export type AdminFile = z.output<typeof adminFileSchema>

/** Writes the file (0600, for the token), replacing what a killed node left behind. */
export async function writeAdminFile(folder: string, admin: AdminFile): Promise<void> {
  const path = dataPaths(folder).admin
  await ensureFolder(dirname(path))
  await writeAtomically(path, `${JSON.stringify(admin)}\n`, { mode: 0o600 })
}

/**
 * What the file says, or null where there is none. Whether that node still lives is for the caller to find out: one
 * that was killed leaves the file behind. Throws `NODE_NOT_RUNNING` for a file that no node wrote.
 */
export async function readAdminFile(folder: string): Promise<AdminFile | null> {
  const path = dataPaths(folder).admin
  const text = await readFile(path, 'utf8').catch((error: unknown) => {
    if (errnoOf(error) === 'ENOENT') return null
    throw error
  })
  if (text === null) return null
  const parsed = adminFileSchema.safeParse(jsonOf(text))
  if (parsed.success) return parsed.data
  throw new AnchormeshError('NODE_NOT_RUNNING', `${path} does not say how to reach a node`, {
    hint: `If no node runs on this folder, remove the file: rm ${path}`
  })
}

/** Removes the file if it is still the one of `admin`, so that a late exit can't hide a node that came after. */
export async function removeAdminFile(folder: string, admin: AdminFile): Promise<void> {
  const current = await readAdminFile(folder)
  if (current?.pid === admin.pid && current.token === admin.token) await rm(dataPaths(folder).admin, { force: true })
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    // Not JSON is as wrong as JSON of another form, and the schema says so of undefined.
    return undefined
  }
}
