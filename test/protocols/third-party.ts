import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { resolve, join } from 'node:path'
import { describe } from 'vitest'

const ROOT = resolve(import.meta.dirname, '..', '..')
const FOLDER = resolve(ROOT, process.env['ANCHORMESH_VECTORS'] ?? '../shared/vectors')

/**
 * Tests on third-party data, which is not part of the project: `tests` is called with the folder of that name, or,
 * where there is none, skipped with one line that says so.
 */
export function describeThirdParty(name: string, tests: (folder: string) => void): void {
  const folder = join(FOLDER, name)
  const present = existsSync(folder)
  if (!present) console.log(`skipped: no third-party vectors for ${name} (ANCHORMESH_VECTORS names their folder)`)
  describe.skipIf(!present)(`third-party: ${name}`, () => {
    if (present) tests(folder)
  })
}

/** The JSON of a file; the caller says what it holds. */
export function readJson(...path: readonly string[]): unknown {
  return JSON.parse(readFileSync(join(...path), 'utf8'))
}

/** The files below a folder that end in `.json`. */
export function jsonFiles(folder: string): readonly string[] {
  return readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.json'))
    .map((name) => join(folder, name))
    .toSorted()
}
