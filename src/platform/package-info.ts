import { existsSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'

const NAME = 'anchormesh'

/**
 * The folder of the package's `package.json`; it is above `src` in a checkout, above `dist/src` in an installed
 * package.
 */
export const packageRoot: string = findRoot(import.meta.dirname)

/** The version in `package.json`, so that it is written in one place only. */
export const packageVersion: string = readPackage(packageRoot)?.version ?? '0.0.0'

/**
 * What a person types in a terminal reaches this file; it checks the version of Node and loads `main.ts` or its build.
 */
export const commandFile: string = join(packageRoot, 'src', 'cli', 'anchormesh.cjs')

function findRoot(folder: string): string {
  if (readPackage(folder)?.name === NAME) return folder
  const above = dirname(folder)
  if (above === folder) throw new Error(`${import.meta.dirname} belongs to no package named ${NAME}`)
  return findRoot(above)
}

function readPackage(folder: string): { readonly name?: string; readonly version?: string } | null {
  const path = join(folder, 'package.json')
  return existsSync(path) ? (JSON.parse(readFileSync(path, 'utf8')) as { name?: string; version?: string }) : null
}
