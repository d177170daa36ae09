import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'

interface LockEntry {
  readonly resolved?: string
  readonly integrity?: string
  readonly link?: boolean
  readonly optionalDependencies?: Readonly<Record<string, string>>
}

const text = readFileSync(join(import.meta.dirname, '..', '..', 'package-lock.json'), 'utf8')
const { packages } = JSON.parse(text) as { packages: Readonly<Record<string, LockEntry>> }

/** True if the lock has a place where the package at `path` finds `name`: its own `node_modules` or one further up. */
function finds(path: string, name: string): boolean {
  const at = path === '' ? `node_modules/${name}` : `${path}/node_modules/${name}`
  if (at in packages) return true
  return path !== '' && finds(path.slice(0, Math.max(0, path.lastIndexOf('/node_modules/'))), name)
}

test('the lock file lists the native parts of every platform, or npm ci refuses it', () => {
  const missing = Object.entries(packages).flatMap(([path, entry]) =>
    Object.entries(entry.optionalDependencies ?? {})
      .filter(([name]) => !finds(path, name))
      .map(([name, version]) => `${name}@${version} of ${path}`)
  )
  expect(missing).toEqual([])
})

/** Could not be had where the lock was made, so their hashes are not known. A tool for development, of other platforms. */
const UNSEEN = /^node_modules\/@foundry-rs\/anvil-(?:darwin|win32|linux-arm64)/

test('the lock file names no registry, and the hash of every package that was seen', () => {
  const entries = Object.entries(packages).filter(([path]) => path !== '' && !UNSEEN.test(path))
  expect(entries.length).toBeGreaterThan(0)
  expect(entries.filter(([, entry]) => entry.resolved !== undefined || entry.integrity === undefined)).toEqual([])
  expect(text).not.toMatch(/https?:\/\/[^"]*\.tgz/)
})
