import { z } from 'zod'
import { AnchormeshError } from '../platform/errors.ts'

/** The layout of a backup; a node refuses one of another. */
export const BACKUP_VERSION = 1
/** Written last, so that what has none is no backup. */
export const MANIFEST_FILE = 'manifest.json'
/** The entries of the two stores (see `entries.ts`). */
export const STORE_FILE = 'store.entries'
export const BLOBS_FILE = 'blobs.entries'
/** Files of the data folder stand below this, under their own names. */
export const FILES_FOLDER = 'files'

// Names of files below the backup: parts without dots at their beginning, so that none leads out of it.
const NAME = /^[A-Za-z0-9_][A-Za-z0-9._-]{0,254}(?:\/[A-Za-z0-9_][A-Za-z0-9._-]{0,254}){0,8}$/
// Whatever a person keeps in a data folder beside the stores.
export const FILES_MAX = 10_000

const hash = z.string().regex(/^[0-9a-f]{64}$/)
const count = z.int().min(0)

const manifestSchema = z.strictObject({
  backup: z.literal('anchormesh'),
  v: z.literal(BACKUP_VERSION),
  /** The release that wrote it. */
  release: z.string(),
  createdAt: count,
  did: z.string(),
  withoutKeys: z.boolean(),
  /** The log at that moment. */
  log: z.strictObject({
    formatVersion: z.int().min(1),
    epoch: z.string().regex(/^[0-9a-f]{16}$/),
    logSeq: count,
    headHash: hash,
    /** Root of the Merkle tree over the log. */
    root: hash
  }),
  files: z
    .array(z.strictObject({ name: z.string().regex(NAME), size: count, sha256: hash, mode: z.int().min(0).max(0o777) }))
    .max(FILES_MAX)
})

/** What a backup holds, with the hash of every file; `manifest.json`. */
export type BackupManifest = z.output<typeof manifestSchema>
export type BackupFile = BackupManifest['files'][number]

/**
 * What a backup never takes out of a data folder, and a restore never puts into one: the stores have files of their own,
 * and the rest is about a process, or is still to be recorded.
 */
export const NEVER_FILES: ReadonlySet<string> = new Set(['store', 'blobs', 'store.json', 'run', 'audit-notes'])

/** Whether a file of the data folder can be backed up under its name. */
export const isBackupName = (name: string): boolean => NAME.test(name)

/** Throws `BACKUP_INVALID`, and `STORE_NEWER` for a backup that a newer release wrote. */
export function parseManifest(text: string): BackupManifest {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    throw backupInvalid([`${MANIFEST_FILE}: is not JSON`])
  }
  const version = z.object({ backup: z.literal('anchormesh'), v: z.int().min(1) }).safeParse(value)
  if (version.success && version.data.v > BACKUP_VERSION)
    throw new AnchormeshError(
      'STORE_NEWER',
      `the backup is of version ${version.data.v}, this release knows ${BACKUP_VERSION}`,
      {
        hint: 'use the release that wrote it, or a newer one'
      }
    )
  const parsed = manifestSchema.safeParse(value)
  if (!parsed.success) throw backupInvalid([`${MANIFEST_FILE}: ${z.prettifyError(parsed.error)}`])
  const names = parsed.data.files.map(({ name }) => name)
  const twice = names.find((name, index) => names.indexOf(name) < index)
  if (twice !== undefined) throw backupInvalid([`${MANIFEST_FILE}: names ${twice} twice`])
  const foreign = names.find(isForeign)
  if (foreign !== undefined) throw backupInvalid([`${MANIFEST_FILE}: names ${foreign}, which no backup holds`])
  for (const needed of [STORE_FILE, BLOBS_FILE])
    if (!names.includes(needed)) throw backupInvalid([`${MANIFEST_FILE}: does not name ${needed}`])
  return parsed.data
}

function isForeign(name: string): boolean {
  if (name === STORE_FILE || name === BLOBS_FILE) return false
  const [folder, first = ''] = name.split('/')
  return folder !== FILES_FOLDER || NEVER_FILES.has(first.toLowerCase())
}

/** What was found is no whole backup; each problem begins with the file's name. */
export function backupInvalid(problems: readonly string[]): AnchormeshError {
  return new AnchormeshError('BACKUP_INVALID', problems.join('\n'), {
    hint: 'Use another backup, or fetch this one anew from where it was kept. Nothing was restored.',
    detail: { problems }
  })
}
