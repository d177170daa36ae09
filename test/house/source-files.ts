import { readdirSync, readFileSync } from 'node:fs'
import { join, sep } from 'node:path'
import { parseSource } from './syntax.ts'
import type { SourceFile } from './syntax.ts'

/** The project's root, with a separator at the end. */
export const ROOT = join(import.meta.dirname, '..', '..') + sep

/** The top-level folders that the rules of the house hold for. */
const FOLDERS = ['src', 'protocols', 'simulations'] as const

/** Paths, relative to the root and with `/`, of everything below the folders of the house that could run. */
export function scriptPaths(): string[] {
  return FOLDERS.flatMap((folder) =>
    readdirSync(join(ROOT, folder), { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile() && /\.[cm]?[jt]sx?$/.test(entry.name))
      .map((entry) => join(entry.parentPath, entry.name).slice(ROOT.length).replaceAll(sep, '/'))
  ).toSorted()
}

/** Parses every TypeScript file of the house. */
export function readHouse(): SourceFile[] {
  return scriptPaths()
    .filter((path) => path.endsWith('.ts'))
    .map((path) => parseSource(path, readFileSync(join(ROOT, path), 'utf8')))
}
