import { createHash } from 'node:crypto'
import {
  existsSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync
} from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { openLevelStore } from '../../src/log/level-store.ts'
import { collect } from '../support/collect.ts'
import type { BackupMade } from '../../src/backup/make-backup.ts'
import type { BackupManifest } from '../../src/backup/manifest.ts'
import type { Restored } from '../../src/backup/restore-backup.ts'
import { launch, newFolder, run, runFailing, runJson, runJsonLines, runWell } from '../support/cli.ts'
import { adminOf, admit, announceAt, entryOf, meshPortOf, sharedEventsOf, stopNode } from '../support/mesh-folders.ts'
import { NAMESPACE, init, startNode } from '../support/nodes.ts'
import { until } from '../support/until.ts'
import { untilAnswer } from '../support/until-answer.ts'

const manifestOf = (backup: string): BackupManifest =>
  JSON.parse(readFileSync(join(backup, 'manifest.json'), 'utf8')) as BackupManifest

/** A folder with some batches, sealed offline. */
async function filled(name: string, batches = 3): Promise<string> {
  const folder = join(newFolder(), name)
  await init(folder, `${name}-org`)
  const input = Array.from({ length: 200 }, (_, index) => JSON.stringify({ index })).join('\n')
  for (let batch = 0; batch < batches; batch += 1)
    await runWell(['seal', '--namespace', NAMESPACE, '--batch', `b-${batch}`, '--data', folder, '-'], { input })
  return folder
}

test('a backup that was made offline restores to the same log, receipts and projections, in a new epoch', async () => {
  const folder = await filled('maker', 2)
  mkdirSync(join(folder, 'tsa-roots', 'more'))
  writeFileSync(join(folder, 'tsa-roots', 'more', 'root.pem'), 'a root')
  const backup = join(newFolder(), 'backup')
  const made = await runJson<BackupMade>(['backup', backup, '--data', folder])
  expect(made.warnings.join()).toContain('not sealed')
  const manifest = manifestOf(backup)
  expect(manifest.log).toMatchObject({ epoch: made.epoch, logSeq: made.logSeq })
  expect(manifest.log.root).toMatch(/^[0-9a-f]{64}$/)
  for (const { name, size, sha256 } of manifest.files) {
    const content = readFileSync(join(backup, name))
    expect([name, content.length, createHash('sha256').update(content).digest('hex')]).toEqual([name, size, sha256])
  }

  const before = await runJsonLines<{ namespace: string }>(['query', 'receipts', '--data', folder])
  const restoredFolder = join(newFolder(), 'restored')
  const restored = await runJson<Restored>(['restore', backup, '--data', restoredFolder])
  expect(restored.epoch).toMatch(/^[0-9a-f]{16}$/)
  expect(restored.epoch).not.toBe(made.epoch)
  const state = JSON.parse(readFileSync(join(restoredFolder, 'store.json'), 'utf8')) as Record<string, unknown>
  expect(state).toMatchObject({
    epoch: restored.epoch,
    restoredFrom: { epoch: made.epoch, size: made.logSeq, root: manifest.log.root }
  })
  expect(statSync(join(restoredFolder, 'keystore.json')).mode & 0o777).toBe(0o600)
  expect(readFileSync(join(restoredFolder, 'tsa-roots', 'more', 'root.pem'), 'utf8')).toBe('a root')
  expect(await runJson(['log', 'verify', '--data', restoredFolder])).toMatchObject({ ok: true })
  expect(await runJsonLines(['query', 'receipts', '--data', restoredFolder])).toEqual(before)
  // Kept for whoever publishes the first checkpoint of the epoch, however often the node starts.
  expect(JSON.parse(readFileSync(join(restoredFolder, 'store.json'), 'utf8'))).toMatchObject({
    restoredFrom: state['restoredFrom']
  })
})

test('without keys the backup holds none, and says so', async () => {
  const folder = await filled('maker', 1)
  writeFileSync(join(folder, 'evm-account.key'), `${'5a'.repeat(32)}\n`)
  const backup = join(newFolder(), 'backup')
  const made = await runJson<BackupMade>(['backup', backup, '--without-keys', '--data', folder])
  expect(made.warnings).toEqual([])
  // Nothing is overwritten.
  expect((await runFailing(['backup', backup, '--data', folder])).error.code).toBe('USAGE')
  expect((await runFailing(['restore', backup, '--data', folder])).error.code).toBe('USAGE')
  const names = manifestOf(backup).files.map(({ name }) => name)
  for (const key of ['keystore.json', 'evm-account.key']) expect(names).not.toContain(`files/${key}`)
  const restored = join(newFolder(), 'restored')
  expect(await runJson(['restore', backup, '--data', restored])).toMatchObject({ withoutKeys: true })
  expect(existsSync(join(restored, 'keystore.json'))).toBe(false)
})

test('a cursor of the epoch before is refused after a restore', async () => {
  const folder = await filled('maker', 1)
  const node = await startNode(folder)
  const nextCursor = await untilAnswer('the receipts are folded', async () => {
    const page = await fetch(`${node.ready.http}/v1/projections/receipts?namespace=${NAMESPACE}&limit=5`)
    return ((await page.json()) as { nextCursor: string | null }).nextCursor
  })
  const backup = join(newFolder(), 'backup')
  await runJson(['backup', backup, '--data', folder])
  await stopNode(node)
  const restored = join(newFolder(), 'restored')
  await runJson(['restore', backup, '--data', restored])
  const again = await startNode(restored)
  const url = `${again.ready.http}/v1/projections/receipts?namespace=${NAMESPACE}&limit=5&cursor=${encodeURIComponent(nextCursor)}`
  expect(await (await fetch(url)).json()).toMatchObject({ code: 'CURSOR_FOREIGN' })
})

test('every file that is altered, cut, missing or foreign is named, and nothing is restored', async () => {
  const folder = await filled('maker', 1)
  const backup = join(newFolder(), 'backup')
  await runJson(['backup', backup, '--data', folder])
  const altered = readFileSync(join(backup, 'blobs.entries'))
  altered.writeUInt8(altered.readUInt8(40) ^ 1, 40)
  writeFileSync(join(backup, 'blobs.entries'), altered)
  truncateSync(join(backup, 'store.entries'), statSync(join(backup, 'store.entries')).size - 7)
  rmSync(join(backup, 'files', 'peers.yaml'))
  writeFileSync(join(backup, 'files', 'added'), 'x')
  const restored = join(newFolder(), 'restored')
  const { error, exitCode } = await runFailing(['restore', backup, '--data', restored])
  expect([error.code, exitCode]).toEqual(['BACKUP_INVALID', 1])
  const { problems } = error.detail as { problems: string[] }
  expect(
    problems.map((problem) => problem.split(':')[0]).toSorted((left = '', right = '') => left.localeCompare(right))
  ).toEqual(['blobs.entries', 'files/added', 'files/peers.yaml', 'store.entries'])
  expect(existsSync(restored)).toBe(false)

  const manifest = readFileSync(join(backup, 'manifest.json'), 'utf8')
  const refused = async (text: string): Promise<string> => {
    writeFileSync(join(backup, 'manifest.json'), text)
    return (await runFailing(['restore', backup, '--data', restored])).error.code
  }
  expect(await refused(manifest.replace('"v": 1', '"v": 2'))).toBe('STORE_NEWER')
  expect(await refused(manifest.replace('files/peers.yaml', '../peers.yaml'))).toBe('BACKUP_INVALID')
  expect(await refused('{')).toBe('BACKUP_INVALID')
  rmSync(join(backup, 'manifest.json'))
  expect((await runFailing(['restore', backup, '--data', restored])).error.message).toContain(
    'manifest.json: is missing'
  )
})

test('a backup of a node under write load is a whole moment of it', async () => {
  const folder = await filled('maker', 1)
  await startNode(folder)
  const operations = adminOf(folder)
  let isOver = false
  let batches = 0
  const load = (async (): Promise<void> => {
    for (; !isOver; batches += 1) {
      const receipts = Array.from({ length: 20 }, (_, index) => ({ batch: batches, index }))
      await operations.seal({ namespace: NAMESPACE, batchId: `load-${batches}`, receipts })
      await announceAt(folder, `load-${batches}`)
    }
  })()
  const backups = []
  for (let turn = 1; turn <= 2; turn += 1) {
    await until(`${turn} batches are announced`, () => batches >= turn)
    const backup = join(newFolder(), `backup-${turn}`)
    backups.push({ backup, ...(await runJson<BackupMade>(['backup', backup, '--data', folder])) })
  }
  isOver = true
  await load
  for (const { backup, logSeq } of backups) {
    const restored = join(newFolder(), 'restored')
    expect(await runJson(['restore', backup, '--data', restored])).toMatchObject({ records: logSeq })
    expect(await runJson(['log', 'verify', '--data', restored])).toMatchObject({ ok: true, records: logSeq })
    // Each receipt that the log names is among the blobs.
    const blobs = await openLevelStore(join(restored, 'blobs'), { create: false })
    const held = (await collect(blobs.range({}))).map(([key]) => key).join('\n')
    await blobs.close()
    const rows = await runJsonLines<{ leafHash: string }>(['query', 'receipts', '--limit', '500', '--data', restored])
    expect(rows.length).toBeGreaterThan(200)
    for (const { leafHash } of rows) expect(held).toContain(leafHash)
  }
})

test('a kill in the middle leaves no backup and no data folder, and the next try makes one', async () => {
  const folder = await filled('maker', 1)
  const parent = newFolder()
  const backup = join(parent, 'backup')
  const kill = async (args: readonly string[], mark: string, at: string): Promise<void> => {
    const running = launch(args)
    await until(
      'it has begun',
      () => readdirSync(at).some((name) => name.endsWith(mark)) || running.process.exitCode !== null
    )
    running.process.kill('SIGKILL')
    await running.ended
  }
  await kill(['backup', backup, '--data', folder], '.partial', parent)
  const leftover = readdirSync(parent).find((name) => name.endsWith('.partial'))
  if (leftover !== undefined && !existsSync(backup)) {
    expect((await runFailing(['restore', join(parent, leftover), '--data', join(parent, 'data')])).error.code).toBe(
      'BACKUP_INVALID'
    )
  }
  rmSync(backup, { recursive: true, force: true })
  await runWell(['backup', backup, '--data', folder])
  const data = join(parent, 'data')
  await kill(['restore', backup, '--data', data], '.restoring', parent)
  if (!existsSync(data)) await runWell(['restore', backup, '--data', data])
  expect(await runJson(['log', 'verify', '--data', data])).toMatchObject({ ok: true })
  expect((await run(['log', 'verify', '--data', folder])).code).toBe(0)
})

test('what a node made after its backup comes back from its peers before it signs, and there is no fork', async () => {
  const [maker, peer] = [join(newFolder(), 'maker'), join(newFolder(), 'peer')]
  await init(maker, 'maker-org')
  await init(peer, 'peer-org')
  await admit(peer, [await entryOf(maker)])
  const peerNode = await startNode(peer)
  await admit(maker, [await entryOf(peer, meshPortOf(peerNode))])
  const federation = join(maker, 'federation.yaml')
  writeFileSync(federation, readFileSync(federation, 'utf8').replace('log:\n', 'log:\n  checkpointMs: 1000\n'))
  const checkpointAtPeer = async (): Promise<unknown> => {
    const { rows } = await adminOf(peer).query('checkpoints', {})
    return rows.find(({ signer }) => signer === did) ?? null
  }
  const life = await startNode(maker)
  const { did } = await adminOf(maker).status()
  const operations = adminOf(maker)
  for (const batchId of ['b-1', 'b-2', 'b-3'])
    await operations.seal({ namespace: NAMESPACE, batchId, receipts: [batchId] })
  await announceAt(maker, 'b-1')
  await untilAnswer('the peer has a checkpoint of it', checkpointAtPeer)
  const backup = join(newFolder(), 'backup')
  const { epoch } = await runJson<BackupMade>(['backup', backup, '--data', maker])
  const last = await announceAt(maker, 'b-2')
  await untilAnswer('the peer holds it', async () => (await adminOf(peer).event(last.id)) !== null)
  life.process.kill('SIGKILL')
  await life.ended

  rmSync(maker, { recursive: true })
  await runWell(['restore', backup, '--data', maker])
  await startNode(maker)
  const next = await announceAt(maker, 'b-3')
  const chain = await sharedEventsOf(maker)
  expect(chain.map(({ event }) => event['authorSeq'])).toEqual([1, 2, 3])
  expect(chain.at(-1)).toMatchObject({ id: next.id, event: { prev: last.id } })
  expect((await adminOf(maker).status()).log.epoch).not.toBe(epoch)
  await untilAnswer('the peer holds the next one', async () => (await adminOf(peer).event(next.id)) !== null)
  for (const folder of [maker, peer])
    expect(await runJsonLines(['query', 'equivocations', '--data', folder])).toEqual([])
  // The peer sees a restore, and no rewritten log.
  const { epoch: restored } = (await adminOf(maker).status()).log
  await untilAnswer('the peer has a checkpoint of the new epoch', async () => {
    const row = (await checkpointAtPeer()) as { readonly epoch?: string } | null
    return row?.epoch === restored
  })
  expect(await checkpointAtPeer()).toMatchObject({ epoch: restored, alarm: null, restoredFrom: { epoch } })
})
