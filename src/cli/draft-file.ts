import { stat } from 'node:fs/promises'
import type { JsonValue } from '../../protocols/canonical-json/v1/json.ts'
import { parseDraft } from '../packs/pack-draft.ts'
import type { PackDraft } from '../packs/pack-operations.ts'
import { writeAtomically } from '../platform/atomic-file.ts'
import { AnchormeshError } from '../platform/errors.ts'
import type { CommandContext } from './command.ts'
import { readText, withInput } from './input.ts'
import { unusablePath } from './unusable-path.ts'

/** Nothing in it is secret: it goes to the other machines. */
const DRAFT_MODE = 0o644

/** Reads a draft from a file, or from standard input for `-`. Throws `USAGE`, `PACK_DRAFT_INVALID`. */
export async function readDraftFile(file: string, { stdin }: Pick<CommandContext, 'stdin'>): Promise<PackDraft> {
  const { name, text } = await withInput(file, stdin, async (input) => ({
    name: input.name,
    text: await readText(input)
  }))
  let json: JsonValue
  try {
    json = JSON.parse(text) as JsonValue
  } catch (cause) {
    throw new AnchormeshError('PACK_DRAFT_INVALID', `${name} is no draft of a pack: it is not JSON`, {
      hint: 'A draft is what `anchormesh pack publish --out FILE` writes.',
      cause
    })
  }
  return parseDraft(json)
}

/** The text of a draft's file. */
export function draftText(draft: PackDraft): string {
  return JSON.stringify(draft, null, 2)
}

/** Puts a draft that was signed in the place of what was in the file, or into another. */
export async function replaceDraftFile(file: string, draft: PackDraft): Promise<void> {
  await writeAtomically(file, `${draftText(draft)}\n`, { mode: DRAFT_MODE }).catch((error: unknown) => {
    throw unusablePath(file, 'written', error)
  })
}

/** Whether a file of this name is there. */
export async function isFile(path: string): Promise<boolean> {
  try {
    return (await stat(path)).isFile()
  } catch {
    // What can't be looked at is no file that could be meant.
    return false
  }
}
