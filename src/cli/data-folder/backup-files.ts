import { readFile, readdir, stat } from 'node:fs/promises'
import { join, relative, resolve, sep } from 'node:path'
import type { BackupSource, DataFile } from '../../backup/make-backup.ts'
import { NEVER_FILES, isBackupName } from '../../backup/manifest.ts'
import type { ConfigSources, LoadedConfig } from './load-config.ts'
import { dataPaths } from './paths.ts'

const NOTHING: ReadonlySet<string> = new Set()
// Configuration, certificates and keys; nothing that a node keeps in its folder by itself is longer.
const FILE_BYTES_MAX = 64 * 1024 * 1024

/** The files of a data folder beside its stores, and which of them are keys. */
export function backupSource(
  { folder, configFile, passphrases }: ConfigSources,
  config: () => LoadedConfig
): BackupSource {
  const paths = dataPaths(folder)
  return {
    async files({ withoutKeys }) {
      const files: DataFile[] = []
      const warnings: string[] = []
      const keys = keyFiles(config())
      const passphraseFiles = new Set((passphrases?.files ?? []).map((file) => resolve(file)))
      for await (const path of filesBelow(paths.folder, NEVER_FILES, warnings)) {
        const name = relative(paths.folder, path).split(sep).join('/')
        if (withoutKeys && keys.has(path)) continue
        if (passphraseFiles.has(path)) {
          warnings.push(`${name} is not in the backup: it holds the passphrase that keystore.json is sealed with`)
          continue
        }
        const { size, mode } = await stat(path)
        if (!isBackupName(name) || size > FILE_BYTES_MAX) {
          warnings.push(`${name} is not in the backup: its name or its size is none that a backup takes`)
          continue
        }
        const from = name === 'federation.yaml' && configFile !== undefined ? resolve(configFile) : path
        const content = await readFile(from)
        // One that a reload has named since, or none that the configuration names.
        if (withoutKeys && isPrivateKey(content)) continue
        files.push({ name, mode: mode & 0o777, content })
      }
      if (!files.some(({ name }) => name === 'federation.yaml') && configFile !== undefined)
        files.push({ name: 'federation.yaml', mode: 0o644, content: await readFile(resolve(configFile)) })
      for (const path of keys)
        if (!path.startsWith(paths.folder + sep))
          warnings.push(`${path} is not in the backup: it is outside of the data folder`)
      const keystore = files.find(({ name }) => name === 'keystore.json')
      if (keystore !== undefined && isPlain(keystore.content))
        warnings.push('keystore.json is in the backup and not sealed: whoever has the backup can sign as this node')
      return { files, warnings }
    }
  }
}

/** Files that hold private keys, as the configuration names them. */
function keyFiles({ folder, federation }: LoadedConfig): ReadonlySet<string> {
  const named = [
    ...Object.values(federation.rails.eip155).map(({ account }) => account?.keyFile),
    federation.http.tls?.key,
    federation.audit.syslogKey
  ]
  const given = named.filter((file) => file !== undefined)
  return new Set([dataPaths(folder).keystore, ...given.map((file) => resolve(folder, file))])
}

/** A key in PEM, that of an EVM account, or a keystore: a copy of it under another name is one, too. */
function isPrivateKey(content: Uint8Array): boolean {
  const text = Buffer.from(content).toString('utf8')
  return /PRIVATE KEY|^\s*(?:0x)?[0-9a-f]{64}\s*$/i.test(text) || isPlain(content) || isSealed(text)
}

function isPlain(content: Uint8Array): boolean {
  return /"privateKey"\s*:/.test(Buffer.from(content).toString('utf8'))
}

function isSealed(text: string): boolean {
  return /"sealed"\s*:/.test(text) && /"box"\s*:/.test(text)
}

async function isFile(path: string): Promise<boolean> {
  return await stat(path).then(
    (there) => there.isFile(),
    () => false
  )
}

/** Files, also by a link; what is none of ours to follow is named in `warnings`. */
async function* filesBelow(folder: string, without: ReadonlySet<string>, warnings: string[]): AsyncGenerator<string> {
  for (const entry of await readdir(folder, { withFileTypes: true })) {
    // Half-written files of a process that was killed, and what an editor keeps.
    if (without.has(entry.name) || entry.name.startsWith('.')) continue
    const path = join(folder, entry.name)
    if (entry.isDirectory()) yield* filesBelow(path, NOTHING, warnings)
    else if (entry.isFile() || (entry.isSymbolicLink() && (await isFile(path)))) yield path
    else if (entry.isSymbolicLink()) warnings.push(`${path} is not in the backup: it is a link to no file`)
  }
}
