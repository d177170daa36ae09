import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { lstat, readFile, readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { errnoOf } from '../platform/atomic-file.ts'
import { AnchormeshError, messageOf } from '../platform/errors.ts'
import type { BackupFile, BackupManifest } from './manifest.ts'
import { MANIFEST_FILE, backupInvalid, parseManifest } from './manifest.ts'

// A manifest names at most ten thousand files.
const MANIFEST_BYTES_MAX = 8 * 1024 * 1024

/**
 * Reads the whole backup and compares it with its manifest. Throws `BACKUP_INVALID` with every file that is missing, is
 * altered, has another length, or is named nowhere; `USAGE` for a folder that is not there, `STORE_NEWER`.
 */
export async function checkBackup(
  directory: string,
  onProgress: (done: number, total: number) => void = () => {}
): Promise<BackupManifest> {
  const manifest = await readManifest(directory)
  const total = manifest.files.reduce((sum, { size }) => sum + size, 0)
  const problems: string[] = []
  let done = 0
  for (const file of manifest.files) {
    const problem = await problemOf(directory, file, (bytes) => onProgress((done += bytes), total))
    if (problem !== null) problems.push(`${file.name}: ${problem}`)
  }
  const named = new Set([MANIFEST_FILE, ...manifest.files.map(({ name }) => name)])
  for await (const name of filesBelow(directory))
    if (!named.has(name)) problems.push(`${name}: is no part of the backup`)
  if (problems.length > 0) throw backupInvalid(problems)
  return manifest
}

async function readManifest(directory: string): Promise<BackupManifest> {
  const path = join(directory, MANIFEST_FILE)
  try {
    const { size } = await lstat(path)
    if (size > MANIFEST_BYTES_MAX) throw backupInvalid([`${MANIFEST_FILE}: is longer than ${MANIFEST_BYTES_MAX} bytes`])
    return parseManifest(await readFile(path, 'utf8'))
  } catch (error) {
    if (errnoOf(error) !== 'ENOENT' && errnoOf(error) !== 'ENOTDIR') throw error
  }
  const isFolder = await lstat(directory).then(
    (stat) => stat.isDirectory(),
    () => false
  )
  if (isFolder) throw backupInvalid([`${MANIFEST_FILE}: is missing: the backup did not come to its end`])
  throw new AnchormeshError('USAGE', `${directory} is no folder`, {
    hint: 'Name the folder that anchormesh backup made.'
  })
}

async function problemOf(
  directory: string,
  { name, size, sha256 }: BackupFile,
  onBytes: (bytes: number) => void
): Promise<string | null> {
  try {
    const stat = await lstat(join(directory, name))
    if (!stat.isFile()) return 'is no file'
    if (stat.size !== size) return `has ${stat.size} bytes, not ${size}`
    const hash = createHash('sha256')
    for await (const chunk of createReadStream(join(directory, name)) as AsyncIterable<Buffer>) {
      hash.update(chunk)
      onBytes(chunk.length)
    }
    return hash.digest('hex') === sha256 ? null : 'was altered'
  } catch (error) {
    return errnoOf(error) === 'ENOENT' ? 'is missing' : `can't be read: ${messageOf(error)}`
  }
}

async function* filesBelow(directory: string, prefix = ''): AsyncGenerator<string> {
  for (const entry of await readdir(join(directory, prefix), { withFileTypes: true })) {
    const name = prefix === '' ? entry.name : `${prefix}/${entry.name}`
    if (entry.isDirectory()) yield* filesBelow(directory, name)
    else yield name
  }
}
