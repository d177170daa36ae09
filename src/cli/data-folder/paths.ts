import { join, resolve } from 'node:path'

const FOLDER_DEFAULT = 'anchormesh-data'

/** The files and folders of a data folder (`CONTRACT.md`, section 2), as absolute paths. */
export interface DataPaths {
  readonly folder: string
  readonly federation: string
  readonly peers: string
  readonly keystore: string
  /** What the next anchor pack shall say of the organisation's keys. */
  readonly signers: string
  /** The draft of a pack that waits for signatures. */
  readonly pendingPack: string
  /** LevelDB. */
  readonly store: string
  readonly blobs: string
  /** Format version, epoch and synced head of the log, outside of LevelDB. */
  readonly storeState: string
  readonly tsaRoots: string
  /** What commands did without the node, until its audit log has it. */
  readonly auditNotes: string
  /** Who serves this folder now. */
  readonly admin: string
}

/** The data folder: `--data`, else `ANCHORMESH_DATA`, else `./anchormesh-data`. An empty text counts as not given. */
export function resolveDataFolder(
  flag: string | undefined,
  environment: Readonly<Record<string, string | undefined>>
): string {
  return resolve(flag || environment['ANCHORMESH_DATA'] || FOLDER_DEFAULT)
}

export function dataPaths(folder: string): DataPaths {
  return {
    folder: resolve(folder),
    federation: resolve(folder, 'federation.yaml'),
    peers: resolve(folder, 'peers.yaml'),
    keystore: resolve(folder, 'keystore.json'),
    signers: resolve(folder, 'signers.json'),
    pendingPack: resolve(folder, 'pending-pack.json'),
    store: resolve(folder, 'store'),
    blobs: resolve(folder, 'blobs'),
    storeState: resolve(folder, 'store.json'),
    auditNotes: resolve(folder, 'audit-notes'),
    tsaRoots: resolve(folder, 'tsa-roots'),
    admin: resolve(folder, join('run', 'admin.json'))
  }
}
