import { readFile } from 'node:fs/promises'
import { dirname } from 'node:path'
import { z } from 'zod'
import { ensureFolder, writeAtomically } from '../platform/atomic-file.ts'
import { AnchormeshError, messageOf } from '../platform/errors.ts'
import { DAMAGE_HINT } from './damage-hint.ts'

const OLDER_HINT =
  'This release does not convert it: go on with the release that wrote this data folder, or let that one write an ' +
  '`anchormesh log export`, move store, blobs and store.json away, and `anchormesh log import` it here BEFORE you ' +
  'announce or publish again. Own seals and receipts do not come along.'

/** The layout of the store; a node refuses one of another (`STORE_NEWER`, `STORE_OLDER`). */
export const STORE_FORMAT_VERSION = 2

/** Throws `STORE_NEWER` or `STORE_OLDER` for a layout that is not the one of this release. `what` says that. */
export function assertStoreFormat(formatVersion: number, what: string): void {
  if (formatVersion === STORE_FORMAT_VERSION) return
  const isNewer = formatVersion > STORE_FORMAT_VERSION
  throw new AnchormeshError(
    isNewer ? 'STORE_NEWER' : 'STORE_OLDER',
    `${what} format version ${formatVersion}; this release knows ${STORE_FORMAT_VERSION}`,
    { hint: isNewer ? 'use the release that wrote this data folder, or a newer one' : OLDER_HINT }
  )
}

const restoredFromSchema = z.object({
  epoch: z.string().regex(/^[0-9a-f]{16}$/),
  size: z.number().int().nonnegative(),
  root: z.string().regex(/^[0-9a-f]{64}$/)
})

/** The log that a restore went on from: its epoch, how many records the backup held, and the root over them. */
export type RestoredFrom = z.infer<typeof restoredFromSchema>

const checkpointSchema = z.object({
  formatVersion: z.number().int().positive(),
  epoch: z.string().regex(/^[0-9a-f]{16}$/),
  head: z.object({ logSeq: z.number().int().nonnegative(), hash: z.string().regex(/^[0-9a-f]{64}$/) }),
  /** Written by a restore, and kept for as long as its epoch lasts. */
  restoredFrom: restoredFromSchema.nullish().transform((restored) => restored ?? null)
})

/**
 * What is known of the store from outside of it. LevelDB opens silently with fewer rows after a damaged write-ahead
 * log, and as an empty store without its `CURRENT`; only a length that stands elsewhere shows that.
 */
export type StoreCheckpoint = Omit<z.infer<typeof checkpointSchema>, 'restoredFrom'> & {
  readonly restoredFrom?: RestoredFrom | null
}

/** Where the checkpoint is kept; a port, so that a simulation keeps it in memory. */
export interface CheckpointKeeper {
  /** `null` when there is none. Throws `STORE_CORRUPT` (it can't be read), `STORE_NEWER` or `STORE_OLDER`. */
  read(): Promise<StoreCheckpoint | null>
  /** Replaces the checkpoint, durably and in one step. */
  write(checkpoint: StoreCheckpoint): Promise<void>
}

/** The checkpoint as the file `store.json`. */
export function checkpointFile(path: string): CheckpointKeeper {
  return {
    async read() {
      let text: string
      try {
        text = await readFile(path, 'utf8')
      } catch (error) {
        if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return null
        throw error
      }
      return parseCheckpoint(path, text)
    },
    async write(checkpoint) {
      await ensureFolder(dirname(path))
      await writeAtomically(path, `${JSON.stringify(checkpoint, null, 2)}\n`, { mode: 0o600 })
    }
  }
}

/** A checkpoint in memory, for stores that are in memory. */
export function memoryCheckpoint(): CheckpointKeeper {
  let kept: StoreCheckpoint | null = null
  return {
    read: () => Promise.resolve(kept),
    write: (checkpoint) => {
      kept = checkpoint
      return Promise.resolve()
    }
  }
}

function parseCheckpoint(path: string, text: string): StoreCheckpoint {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch (error) {
    throw corrupt(path, messageOf(error))
  }
  const parsed = checkpointSchema.safeParse(value)
  const version = z.object({ formatVersion: z.number() }).safeParse(value)
  // What is below the first is no format of an older release.
  if (version.success && version.data.formatVersion >= 1) assertStoreFormat(version.data.formatVersion, `${path} says`)
  if (!parsed.success) throw corrupt(path, z.prettifyError(parsed.error))
  return parsed.data
}

function corrupt(path: string, reason: string): AnchormeshError {
  return new AnchormeshError('STORE_CORRUPT', `${path} can't be read: ${reason}`, {
    hint: DAMAGE_HINT
  })
}
