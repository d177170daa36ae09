import { chmod, lstat, mkdir, open, rename, rm } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { toHex } from '../../protocols/primitives/bytes.ts'
import { sha256Hex } from '../../protocols/primitives/sha256.ts'
import { STORE_FORMAT_VERSION } from '../log/checkpoint-file.ts'
import type { EventLog } from '../log/event-log.ts'
import { LogReader } from '../log/log-reader.ts'
import type { Store, StoreReader, StoreSnapshot } from '../log/store.ts'
import { ensureFolder, errnoOf, syncFolder } from '../platform/atomic-file.ts'
import type { AuditTrail } from '../platform/audit.ts'
import type { Clock } from '../platform/clock.ts'
import { AnchormeshError, messageOf } from '../platform/errors.ts'
import { ofThisRequest } from '../platform/request-scope.ts'
import { writeEntries } from './entries.ts'
import type { BackupFile, BackupManifest } from './manifest.ts'
import { BACKUP_VERSION, BLOBS_FILE, FILES_FOLDER, MANIFEST_FILE, STORE_FILE } from './manifest.ts'

/** A file of the data folder beside the stores. */
export interface DataFile {
  /** Relative to the data folder, with `/`. */
  readonly name: string
  readonly mode: number
  readonly content: Uint8Array
}

/** What a node's folder holds beside its stores, as the command line knows it. */
export interface BackupSource {
  /** `warnings`: what the operator should know of them, such as keys that are not sealed. */
  files(options: {
    readonly withoutKeys: boolean
  }): Promise<{ readonly files: readonly DataFile[]; readonly warnings: readonly string[] }>
  /** The stores as they are on the disk, if the node sees them otherwise (decrypted). */
  readonly stores?: { readonly store: Store; readonly blobs: Store }
}

export interface BackupRequest {
  /** An absolute path where nothing is yet. */
  readonly directory: string
  readonly withoutKeys?: boolean
}

/** A backup that is whole and on the disk. */
export interface BackupMade {
  readonly directory: string
  readonly epoch: string
  readonly logSeq: number
  readonly headHash: string
  readonly files: number
  readonly bytes: number
  readonly warnings: readonly string[]
}

export interface BackupPorts {
  readonly log: Pick<EventLog, 'epoch' | 'onAppended' | 'recover'>
  readonly store: Store
  readonly blobs: Store
  readonly source: BackupSource
  readonly clock: Clock
  readonly audit: AuditTrail
  readonly did: string
  readonly release: string
  /** Root of the Merkle tree over the first `size` records of the log, hex. */
  readonly treeRoot: (size: number) => Promise<string>
}

// Erasures are rare; each try costs two snapshots.
const SNAPSHOT_TRIES = 16

/**
 * Writes one moment of the node to a new folder, while it goes on with its work. The folder appears when all of it is
 * written and synced; before that everything stands in a folder beside it, `<directory>.<pid>.partial`, which is no
 * backup. Throws `USAGE` where something is at that place, or nothing can be made there.
 */
export async function makeBackup(
  { directory, withoutKeys = false }: BackupRequest,
  ports: BackupPorts,
  onProgress: (done: number, total: number | null) => void = () => {}
): Promise<BackupMade> {
  const about = { action: 'BACKUP_MADE', actor: 'operator', subject: directory, ...ofThisRequest() } as const
  try {
    const made = await makeAt(directory, withoutKeys, ports, onProgress)
    ports.audit.record({ ...about, outcome: 'ok', code: null, detail: { logSeq: made.logSeq, withoutKeys } })
    return made
  } catch (error) {
    const code = error instanceof AnchormeshError ? error.code : (errnoOf(error) ?? 'INTERNAL')
    ports.audit.record({ ...about, outcome: 'failed', code, detail: { reason: messageOf(error).slice(0, 1_000) } })
    throw error
  }
}

async function makeAt(
  directory: string,
  withoutKeys: boolean,
  ports: BackupPorts,
  onProgress: (done: number, total: number | null) => void
): Promise<BackupMade> {
  await refuseExisting(directory)
  const partial = `${directory}.${process.pid}.partial`
  await ensureFolder(dirname(directory))
  await rm(partial, { recursive: true, force: true })
  await mkdir(partial, { mode: 0o700 })
  try {
    const { files, warnings } = await ports.source.files({ withoutKeys })
    const manifest = await writeContent(partial, files, withoutKeys, ports, onProgress)
    await writeSynced(join(partial, MANIFEST_FILE), Buffer.from(`${JSON.stringify(manifest, null, 2)}\n`), 0o600)
    await syncFolder(partial)
    await refuseExisting(directory)
    await rename(partial, directory)
    await syncFolder(dirname(directory))
    const { epoch, logSeq, headHash } = manifest.log
    const bytes = manifest.files.reduce((sum, { size }) => sum + size, 0)
    return { directory, epoch, logSeq, headHash, files: manifest.files.length, bytes, warnings }
  } catch (error) {
    await rm(partial, { recursive: true, force: true })
    throw error
  }
}

async function writeContent(
  folder: string,
  files: readonly DataFile[],
  withoutKeys: boolean,
  ports: BackupPorts,
  onProgress: (done: number, total: number | null) => void
): Promise<BackupManifest> {
  const { log, clock, did, release, treeRoot } = ports
  const written: BackupFile[] = []
  for (const { name, mode, content } of files) {
    const path = join(folder, FILES_FOLDER, name)
    await ensureFolder(dirname(path))
    await writeSynced(path, content, mode)
    await syncFolder(dirname(path))
    written.push({ name: `${FILES_FOLDER}/${name}`, size: content.length, sha256: sha256Hex(content), mode })
  }
  const { store, blobs } = await snapshots(ports)
  try {
    const head = await new LogReader(store.inside).readHead()
    const root = await treeRoot(head.logSeq)
    let done = 0
    const onEntry = (): void => onProgress((done += 1), null)
    for (const [name, snapshot] of [
      [STORE_FILE, store.onDisk],
      [BLOBS_FILE, blobs]
    ] as const) {
      const handle = await open(join(folder, name), 'wx', 0o600)
      try {
        written.push({ name, ...(await writeEntries(handle, snapshot, onEntry)), mode: 0o600 })
        await handle.sync()
      } finally {
        await handle.close()
      }
    }
    return {
      backup: 'anchormesh',
      v: BACKUP_VERSION,
      release,
      createdAt: clock.now(),
      did,
      withoutKeys,
      log: {
        formatVersion: STORE_FORMAT_VERSION,
        epoch: log.epoch,
        logSeq: head.logSeq,
        headHash: toHex(head.hash),
        root
      },
      files: written
    }
  } finally {
    await Promise.all([store.close(), blobs.close()])
  }
}

interface TwoViews {
  /** As the node sees it. */
  readonly inside: StoreReader
  readonly onDisk: StoreReader
  close(): Promise<void>
}

/**
 * The log first: what it names is among the blobs by then. An erasure between the two would leave a receipt that the log
 * holds and the blobs don't, so the two are taken anew then.
 */
async function snapshots(ports: BackupPorts): Promise<{ readonly store: TwoViews; readonly blobs: StoreSnapshot }> {
  const { log, source } = ports
  const onDisk = source.stores ?? { store: ports.store, blobs: ports.blobs }
  for (let tries = 1; ; tries += 1) {
    await log.recover()
    let erased = false
    const stop = log.onAppended((records) => {
      erased ||= records.some((record) => record.scope === 'local' && record.event.type === 'forgotten')
    })
    const store = await viewsOf(ports.store, onDisk.store)
    const blobs = await onDisk.blobs.snapshot().finally(stop)
    if (!erased || tries === SNAPSHOT_TRIES) return { store, blobs }
    await Promise.all([store.close(), blobs.close()])
  }
}

async function viewsOf(inside: Store, onDisk: Store): Promise<TwoViews> {
  if (inside === onDisk) {
    const both = await onDisk.snapshot()
    return { inside: both, onDisk: both, close: () => both.close() }
  }
  // First what the manifest says: what was appended between the two is in the backup as well.
  const seen = await inside.snapshot()
  const snapshot = await onDisk.snapshot()
  return {
    inside: seen,
    onDisk: snapshot,
    close: async () => void (await Promise.all([seen.close(), snapshot.close()]))
  }
}

async function writeSynced(path: string, content: Uint8Array, mode: number): Promise<void> {
  const handle = await open(path, 'wx', mode)
  try {
    await handle.writeFile(content)
    await handle.sync()
  } finally {
    await handle.close()
  }
  await chmod(path, mode)
}

async function refuseExisting(directory: string): Promise<void> {
  const there = await lstat(directory).catch((error: unknown) => {
    if (errnoOf(error) === 'ENOENT') return null
    throw error
  })
  if (there === null) return
  throw new AnchormeshError('USAGE', `${directory} is there already: a backup never overwrites`, {
    hint: 'Name a folder that is not there yet.'
  })
}
