import { readFile, readdir, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { z } from 'zod'
import { AUDIT_OUTCOMES } from '../../../protocols/audit/v1/record.ts'
import { toHex } from '../../../protocols/primitives/bytes.ts'
import { ensureFolder, errnoOf, writeAtomically } from '../../platform/atomic-file.ts'
import type { AuditEntry, AuditNote, AuditNotes } from '../../platform/audit.ts'
import type { Clock } from '../../platform/clock.ts'
import type { Random } from '../../platform/random.ts'
import { dataPaths } from './paths.ts'

const ID_BYTES = 8
const NAME = /^([0-9a-f]{16})\.json$/
// A note is some 500 bytes; what is longer is none.
const NOTE_BYTES_MAX = 16 * 1024
// Read at once: a script that seals and rekeys all day leaves fewer before somebody looks at the audit log.
const NOTES_AT_ONCE = 1_000

const noteSchema = z.strictObject({
  v: z.literal(1),
  at: z.int().min(0),
  // What commands do without a node; nothing else is recorded from files.
  action: z.enum(['KEYSTORE_SEALED', 'SIGNER_ADOPTED', 'STORE_REKEYED', 'BACKUP_RESTORED']),
  subject: z.string(),
  outcome: z.enum(AUDIT_OUTCOMES),
  code: z.string().nullable(),
  detail: z.record(z.string(), z.union([z.string(), z.number(), z.boolean(), z.null()]))
})

type NotedEntry = Pick<z.output<typeof noteSchema>, 'action' | 'subject'> & Pick<AuditEntry, 'detail'>

/**
 * Writes down beside the stores what a command has done without the node, which records it when it opens next, or is
 * asked for its audit log. One file each, so that nobody has to take turns.
 */
export async function writeAuditNote(
  folder: string,
  { action, subject, detail = {} }: NotedEntry,
  { clock, random }: { readonly clock: Clock; readonly random: Random }
): Promise<void> {
  const place = dataPaths(folder).auditNotes
  await ensureFolder(place)
  const note = { v: 1, at: clock.now(), action, subject, outcome: 'ok', code: null, detail }
  const name = `${toHex(random.bytes(ID_BYTES))}.json`
  await writeAtomically(join(place, name), `${JSON.stringify(note)}\n`, { mode: 0o600 })
}

/** The notes of a data folder. A file that is no note is left where it is. */
export function auditNotes(folder: string): AuditNotes {
  const place = dataPaths(folder).auditNotes
  return {
    read: async () => {
      const names = await readdir(place).catch((error: unknown): string[] => {
        if (errnoOf(error) === 'ENOENT') return []
        throw error
      })
      const notes: AuditNote[] = []
      for (const name of names.slice(0, NOTES_AT_ONCE)) {
        const note = await readNote(place, name)
        if (note !== null) notes.push(note)
      }
      return notes.toSorted((one, other) => one.at - other.at)
    },
    taken: async (notes) => {
      for (const { id } of notes) await rm(join(place, `${id}.json`), { force: true })
    }
  }
}

async function readNote(place: string, name: string): Promise<AuditNote | null> {
  const id = NAME.exec(name)?.[1]
  const path = join(place, name)
  if (id === undefined || (await stat(path)).size > NOTE_BYTES_MAX) return null
  const parsed = noteSchema.safeParse(jsonOf(await readFile(path, 'utf8')))
  if (!parsed.success) return null
  const { at, v: _v, ...entry } = parsed.data
  return { id, at, entry: { ...entry, actor: 'operator' } }
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return null
  }
}
