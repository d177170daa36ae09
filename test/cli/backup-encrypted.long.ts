import {
  copyFileSync,
  existsSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  renameSync,
  symlinkSync,
  writeFileSync
} from 'node:fs'
import { createHash } from 'node:crypto'
import { dirname, join } from 'node:path'
import { describe, expect, test } from 'vitest'
import type { BackupMade } from '../../src/backup/make-backup.ts'
import type { BackupManifest } from '../../src/backup/manifest.ts'
import type { AuditRecord } from '../../src/audit/operations.ts'
import { newFolder, runFailing, runJson, runJsonLines, runWell } from '../support/cli.ts'
import { NAMESPACE, init } from '../support/nodes.ts'

const PASSPHRASE = { ANCHORMESH_PASSPHRASE: 'correct horse battery' }
const SEALED = { environment: PASSPHRASE }
// Of letters that nothing else has side by side, so that compression leaves it whole.
const SECRET = 'qzxvkjwpyhgmq'

/** A data folder with an encrypted store, and a sealed keystore. */
async function encrypted(): Promise<string> {
  const data = join(newFolder(), 'data')
  await init(data, 'maker')
  const path = join(data, 'federation.yaml')
  writeFileSync(path, `${readFileSync(path, 'utf8').trimEnd()}\nstore:\n  encrypt: true\n`)
  const input = Array.from({ length: 20 }, (_, at) => JSON.stringify(`${SECRET}-${at}`)).join('\n')
  await runWell(['seal', '--namespace', NAMESPACE, '--batch', 'b-1', '--data', data, '-'], { input })
  await runWell(['keys', 'seal', '--data', data], SEALED)
  return data
}

/** Changes a backup's files and makes its manifest agree with them. */
function rewriteManifest(backup: string, change: (manifest: BackupManifest) => BackupManifest): void {
  const path = join(backup, 'manifest.json')
  writeFileSync(path, JSON.stringify(change(JSON.parse(readFileSync(path, 'utf8')) as BackupManifest)))
}

function withFile(backup: string, name: string, content: string): void {
  mkdirSync(dirname(join(backup, name)), { recursive: true })
  writeFileSync(join(backup, name), content)
  const sha256 = createHash('sha256').update(content).digest('hex')
  rewriteManifest(backup, (manifest) => ({
    ...manifest,
    files: [...manifest.files, { name, size: content.length, sha256, mode: 0o600 }]
  }))
}

describe('an encrypted store', () => {
  test('is backed up as it is, and comes back with its passphrase alone', async () => {
    const data = await encrypted()
    const backup = join(newFolder(), 'backup')
    const made = await runJson<BackupMade>(['backup', backup, '--data', data], SEALED)
    expect(made.warnings).toEqual([])
    for (const name of ['store.entries', 'blobs.entries']) {
      expect(readFileSync(join(backup, name)).includes(SECRET)).toBe(false)
      expect(readFileSync(join(backup, name)).includes('"issuer"')).toBe(false)
    }
    const parent = newFolder()
    const restored = join(parent, 'restored')
    const wrong = { environment: { ANCHORMESH_PASSPHRASE: 'not the passphrase' } }
    for (const [options, hint] of [
      [{}, '--passphrase-file'],
      [wrong, '--passphrase-file']
    ] as const) {
      const { error } = await runFailing(['restore', backup, '--data', restored], options)
      expect([error.code, error.hint.includes(hint)]).toEqual(['KEYSTORE_PASSPHRASE', true])
      // Of the place where it stood meanwhile nobody is told, and nothing is left.
      expect(error.message).toContain(join(restored, 'keystore.json'))
      expect(readdirSync(parent)).toEqual([])
    }
    await runJson(['restore', backup, '--data', restored], SEALED)
    expect(await runJson(['log', 'verify', '--data', restored], SEALED)).toMatchObject({ ok: true })
    const rows = await runJsonLines(['query', 'receipts', '--data', restored], SEALED)
    expect(rows).toHaveLength(20)
    const records = await runJsonLines<AuditRecord>(
      ['audit', '--action', 'BACKUP_RESTORED', '--data', restored],
      SEALED
    )
    expect(records).toMatchObject([
      { actor: 'operator', subject: backup, outcome: 'ok', detail: { fromEpoch: made.epoch, size: made.logSeq } }
    ])
  })

  test('without keys comes back with the keystore that belongs to it, also one that was sealed since', async () => {
    const data = await encrypted()
    const backup = join(newFolder(), 'backup')
    const copy = join(data, 'keystore-of-yesterday.json')
    copyFileSync(join(data, 'keystore.json'), copy)
    await runJson(['backup', backup, '--without-keys', '--data', data], SEALED)
    expect(readdirSync(join(backup, 'files'))).toEqual(['federation.yaml', 'peers.yaml'])
    const restored = join(newFolder(), 'restored')
    const { error } = await runFailing(['restore', backup, '--data', restored], SEALED)
    expect([error.code, error.hint]).toEqual(['STORE_KEY_MISSING', expect.stringContaining('--keystore')])
    const other = join(newFolder(), 'other')
    await init(other, 'other')
    const foreign = await runFailing([
      'restore',
      backup,
      '--keystore',
      join(other, 'keystore.json'),
      '--data',
      restored
    ])
    expect(foreign.error.code).toBe('STORE_KEY_MISSING')
    expect((await runFailing(['restore', backup, '--keystore', backup, '--data', restored])).exitCode).not.toBe(0)
    expect(existsSync(restored)).toBe(false)

    const anew = { ...PASSPHRASE, ANCHORMESH_NEW_PASSPHRASE: 'another passphrase' }
    await runWell(['keys', 'seal', '--data', data], { environment: anew })
    const keystore = join(newFolder(), 'safe.json')
    renameSync(join(data, 'keystore.json'), keystore)
    const now = { environment: { ANCHORMESH_PASSPHRASE: 'another passphrase' } }
    expect(await runJson(['restore', backup, '--keystore', keystore, '--data', restored], now)).toMatchObject({
      withoutKeys: false
    })
    expect(readFileSync(join(restored, 'keystore.json'))).toEqual(readFileSync(keystore))
    expect(await runJson(['log', 'verify', '--data', restored], now)).toMatchObject({ ok: true })
  })

  test('what the command line did without a node is in the audit log', async () => {
    const data = await encrypted()
    await runWell(['store', 'rekey', '--data', data], SEALED)
    const records = await runJsonLines<AuditRecord>(['audit', '--data', data], SEALED)
    const done = records.filter(({ action }) => action === 'KEYSTORE_SEALED' || action === 'STORE_REKEYED')
    expect(
      done.map(({ action, outcome, detail }) => [action, outcome, detail['wasSealed'] ?? detail['keyId']])
    ).toEqual([
      ['KEYSTORE_SEALED', 'ok', false],
      ['STORE_REKEYED', 'ok', 2]
    ])
    expect(readdirSync(join(data, 'audit-notes'))).toEqual([])
    expect(await runJsonLines(['audit', '--data', data], SEALED)).toEqual(records)
    expect(JSON.stringify(records)).not.toContain(PASSPHRASE.ANCHORMESH_PASSPHRASE)
  })
})

describe('a backup', () => {
  test('takes files that are links, leaves the passphrase out, and names what it can not take', async () => {
    const data = join(newFolder(), 'data')
    await init(data, 'maker')
    const elsewhere = join(newFolder(), 'peers.yaml')
    renameSync(join(data, 'peers.yaml'), elsewhere)
    symlinkSync(elsewhere, join(data, 'peers.yaml'))
    symlinkSync(dirname(elsewhere), join(data, 'more'))
    const file = join(data, 'passphrase.txt')
    writeFileSync(file, 'correct horse battery\n', { mode: 0o600 })
    const given = { environment: { ANCHORMESH_PASSPHRASE_FILE: file } }
    await runWell(['keys', 'seal', '--data', data], given)
    const backup = join(newFolder(), 'backup')
    const { warnings } = await runJson<BackupMade>(['backup', backup, '--data', data], given)
    expect(warnings.toSorted((one, other) => one.length - other.length)).toEqual([
      expect.stringContaining('more is not in the backup: it is a link'),
      expect.stringContaining('passphrase.txt is not in the backup: it holds the passphrase')
    ])
    expect(readdirSync(join(backup, 'files'))).toEqual(['federation.yaml', 'keystore.json', 'peers.yaml'])
  })

  test('from elsewhere can not put a file where no backup has one, nor another root of the log', async () => {
    const data = join(newFolder(), 'data')
    await init(data, 'maker')
    await runWell(['seal', '--namespace', NAMESPACE, '--batch', 'b-1', '--data', data, '-'], { input: '1\n2\n' })
    const good = join(newFolder(), 'backup')
    await runJson(['backup', good, '--data', data])
    const manifest = readFileSync(join(good, 'manifest.json'), 'utf8')
    const restored = join(newFolder(), 'restored')
    const refused = async (): Promise<string> => {
      const { error } = await runFailing(['restore', good, '--data', restored])
      expect(existsSync(restored)).toBe(false)
      writeFileSync(join(good, 'manifest.json'), manifest)
      return `${error.code} ${error.message}`
    }
    for (const name of ['files/run/admin.json', 'files/store.json', 'files/store/CURRENT', 'other']) {
      withFile(good, name, '{}')
      expect(await refused()).toBe(`BACKUP_INVALID manifest.json: names ${name}, which no backup holds`)
      renameSync(join(good, name), join(newFolder(), 'away'))
    }
    rewriteManifest(good, (whole) => ({ ...whole, log: { ...whole.log, root: '0'.repeat(64) } }))
    expect(await refused()).toBe('BACKUP_INVALID manifest.json: names another root than the log has')
    await runJson(['restore', good, '--data', restored])
  })
})
