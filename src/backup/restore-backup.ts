import { createReadStream } from 'node:fs'
import { copyFile, mkdir, open, readdir, rename, rm, rmdir, writeFile } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { toHex } from '../../protocols/primitives/bytes.ts'
import { assertStoreFormat, checkpointFile } from '../log/checkpoint-file.ts'
import type { RestoredFrom } from '../log/checkpoint-file.ts'
import { LogReader } from '../log/log-reader.ts'
import { LogTree } from '../log/log-tree.ts'
import type { LogRecord } from '../log/record.ts'
import type { Store, WriteOperation } from '../log/store.ts'
import type { LogVerification } from '../log/verify-log.ts'
import { verifyLog } from '../log/verify-log.ts'
import { ensureFolder, errnoOf, syncFolder } from '../platform/atomic-file.ts'
import { AnchormeshError, messageOf } from '../platform/errors.ts'
import { silentLogger } from '../platform/logger.ts'
import type { Random } from '../platform/random.ts'
import { checkBackup } from './check-backup.ts'
import { readEntries } from './entries.ts'
import type { DataFile } from './make-backup.ts'
import type { BackupManifest } from './manifest.ts'
import { BLOBS_FILE, FILES_FOLDER, MANIFEST_FILE, STORE_FILE, backupInvalid } from './manifest.ts'

const EPOCH_BYTES = 8
// One write to the store.
const BATCH_BYTES = 4 * 1024 * 1024

export interface RestorePorts {
  readonly random: Random
  /** Opens a new, empty store of bytes as they are on the disk. */
  readonly openStore: (location: string) => Promise<Store>
  /** The store as the node sees it, where that differs (decrypted); closing it closes the other. */
  readonly inside?: (store: Store, folder: string) => Promise<Store>
  /** What stands in the folder beside the backup's files, or in the place of those of the same name. */
  readonly files?: readonly DataFile[]
  /** Called for what is whole, in `staging`, right before it takes its place: to write down there that it was restored. */
  readonly restored?: (staging: string, restored: Restored) => Promise<void>
}

/** What was restored. */
export interface Restored {
  readonly folder: string
  /** The new epoch. */
  readonly epoch: string
  readonly restoredFrom: RestoredFrom
  readonly records: number
  readonly files: number
  /** Whether there are no keys: the node can't start before they are put back. */
  readonly withoutKeys: boolean
}

/**
 * Puts a backup back into a data folder that is not there, or empty. All of it is checked before anything is written,
 * and written beside the folder (`<folder>.<pid>.restoring`), whose place it takes once its log is verified. The log goes
 * on in a new epoch. Throws `BACKUP_INVALID` with every problem, `STORE_NEWER`, `STORE_OLDER`, `USAGE` for a folder that
 * holds something.
 */
export async function restoreBackup(
  { directory, folder }: { readonly directory: string; readonly folder: string },
  ports: RestorePorts,
  onProgress: (done: number, total: number, unit: string) => void = () => {}
): Promise<Restored> {
  await refuseUsed(folder)
  const manifest = await checkBackup(directory, (done, total) => onProgress(done, total, 'bytes checked'))
  assertStoreFormat(manifest.log.formatVersion, 'the backup has')
  const staging = `${folder}.${process.pid}.restoring`
  await ensureFolder(dirname(folder))
  await rm(staging, { recursive: true, force: true })
  await mkdir(staging, { mode: 0o700 })
  try {
    const restoredFrom = { epoch: manifest.log.epoch, size: manifest.log.logSeq, root: manifest.log.root }
    const epoch = toHex(ports.random.bytes(EPOCH_BYTES))
    await writeFolder({ directory, staging, manifest }, ports, onProgress)
    const checkpoint = checkpointFile(join(staging, 'store.json'))
    const { formatVersion, logSeq, headHash } = manifest.log
    await checkpoint.write({ formatVersion, epoch, head: { logSeq, hash: headHash }, restoredFrom })
    const { records } = await verified(staging, manifest, ports, onProgress)
    const { files } = manifest
    const withoutKeys = manifest.withoutKeys && !(ports.files ?? []).some(({ name }) => name === 'keystore.json')
    const restored = { folder, epoch, restoredFrom, records, files: files.length, withoutKeys }
    await ports.restored?.(staging, restored)
    await syncFolder(staging)
    await takePlace(staging, folder)
    return restored
  } catch (error) {
    await rm(staging, { recursive: true, force: true })
    throw error
  }
}

async function writeFolder(
  { directory, staging, manifest }: { directory: string; staging: string; manifest: BackupManifest },
  { openStore, files = [] }: RestorePorts,
  onProgress: (done: number, total: number, unit: string) => void
): Promise<void> {
  for (const { name, mode } of manifest.files) {
    if (!name.startsWith(`${FILES_FOLDER}/`)) continue
    const path = join(staging, name.slice(FILES_FOLDER.length + 1))
    await ensureFolder(dirname(path))
    await copyFile(join(directory, name), path)
    await synced(path, mode)
  }
  for (const { name, mode, content } of files) {
    const path = join(staging, name)
    await ensureFolder(dirname(path))
    await rm(path, { force: true })
    await writeFile(path, content, { mode: 0o600 })
    await synced(path, mode)
  }
  const total = manifest.files.reduce((sum, { size }) => sum + size, 0)
  let done = 0
  for (const [file, location] of [
    [STORE_FILE, 'store'],
    [BLOBS_FILE, 'blobs']
  ] as const) {
    const store = await openStore(join(staging, location))
    try {
      await fill(store, join(directory, file), (bytes) => onProgress((done += bytes), total, 'bytes restored'))
    } finally {
      await store.close()
    }
  }
}

async function fill(store: Store, file: string, onBytes: (bytes: number) => void): Promise<void> {
  let operations: WriteOperation[] = []
  let bytes = 0
  const flush = async (): Promise<void> => {
    await store.write(operations, { sync: true })
    onBytes(bytes)
    operations = []
    bytes = 0
  }
  try {
    for await (const [key, value] of readEntries(createReadStream(file) as AsyncIterable<Uint8Array>)) {
      operations.push({ type: 'put', key, value })
      bytes += key.length + value.length
      if (bytes >= BATCH_BYTES) await flush()
    }
  } catch (error) {
    if (error instanceof RangeError) throw backupInvalid([`${basename(file)}: ${messageOf(error)}`])
    throw error
  }
  await flush()
}

async function verified(
  staging: string,
  manifest: BackupManifest,
  { openStore, inside }: RestorePorts,
  onProgress: (done: number, total: number, unit: string) => void
): Promise<LogVerification> {
  const raw = await openStore(join(staging, 'store'))
  let store = raw
  try {
    if (inside !== undefined) store = await inside(raw, staging)
    const checkpoint = checkpointFile(join(staging, 'store.json'))
    const verification = await verifyLog(store, checkpoint, (done, total) =>
      onProgress(done, total, 'records verified')
    )
    if (!verification.ok)
      throw backupInvalid(
        verification.problems.map(({ logSeq, problem }) => `${STORE_FILE}: record ${logSeq ?? '-'}: ${problem}`)
      )
    // The first checkpoint of the new epoch names it, signed, to all the others.
    if ((await rootOf(store, manifest.log.logSeq)) !== manifest.log.root)
      throw backupInvalid([`${MANIFEST_FILE}: names another root than the log has`])
    return verification
  } finally {
    await store.close()
  }
}

/** Root of the tree over the first `size` records, hex. */
async function rootOf(store: Store, size: number): Promise<string> {
  const reader = new LogReader(store)
  const head = await reader.readHead()
  const records = (after: number, upTo: number): AsyncIterable<LogRecord> => reader.records(after, upTo)
  const tree = new LogTree({ store, logger: silentLogger }, { head, records, writeFailed: () => {} })
  try {
    return toHex(await (await tree.ready()).root(size))
  } finally {
    await tree.close()
  }
}

async function takePlace(staging: string, folder: string): Promise<void> {
  await rmdir(folder).catch((error: unknown) => {
    if (errnoOf(error) !== 'ENOENT') throw error
  })
  await rename(staging, folder)
  await syncFolder(dirname(folder))
}

async function refuseUsed(folder: string): Promise<void> {
  const entries = await readdir(folder).catch((error: unknown) => {
    if (errnoOf(error) === 'ENOENT') return []
    if (errnoOf(error) === 'ENOTDIR') return ['.']
    throw error
  })
  if (entries.length === 0) return
  throw new AnchormeshError('USAGE', `${folder} is not empty: a backup is restored into a new folder`, {
    hint: 'Name another one with --data, or move what is there away.'
  })
}

async function synced(path: string, mode: number): Promise<void> {
  const handle = await open(path, 'r')
  try {
    await handle.chmod(mode)
    await handle.sync()
  } finally {
    await handle.close()
  }
}
