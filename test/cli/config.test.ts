import { chmodSync, existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { expect, test } from 'vitest'
import { loadConfig } from '../../src/cli/data-folder/load-config.ts'
import type { ConfigReloaded } from '../../src/policy/config-change.ts'
import { launch, newFolder, run, runFailing, runJson, runJsonLines } from '../support/cli.ts'
import { admit, adminOf, entryOf, meshPortOf } from '../support/mesh-folders.ts'
import { LOOPBACK, NAMESPACE, init, startNode } from '../support/nodes.ts'
import { until } from '../support/until.ts'
import { untilAnswer } from '../support/until-answer.ts'

/** As many as come while a reload or some are under way. */
const STORM = 100

interface Shown {
  readonly key: string
  readonly value: unknown
  readonly source: string
  readonly place: string | null
}

async function folderOf(orgId: string): Promise<string> {
  const folder = join(newFolder(), orgId)
  await init(folder, orgId)
  return folder
}

function edit(folder: string, change: (text: string) => string): void {
  const file = join(folder, 'federation.yaml')
  writeFileSync(file, change(readFileSync(file, 'utf8')))
}

const append = (folder: string, lines: string): void => edit(folder, (text) => `${text}\n${lines}\n`)

const shownOf = async (folder: string, environment = {}): Promise<ReadonlyMap<string, Shown>> => {
  const shown = await runJsonLines<Shown>(['config', 'show', '--data', folder], { environment })
  return new Map(shown.map((setting) => [setting.key, setting]))
}

test('every problem of both files is listed with its place, key and code, and the exit code is 2', async () => {
  const folder = await folderOf('alpha')
  expect(await run(['config', 'validate', '--data', folder])).toMatchObject({ code: 0 })
  edit(folder, (text) => text.replace('mdns:', 'mdsn:').replace('futureSkewMs: 120000', 'futureSkewMs: 12'))
  append(folder, 'sealling: {}')
  writeFileSync(join(folder, 'peers.yaml'), 'v: 1\npeers:\n  - did: none\n')
  const { code, stdout } = await run(['config', 'validate', '--data', folder, '--json'])
  const { ok, problems } = JSON.parse(stdout) as { ok: boolean; problems: Record<string, unknown>[] }
  expect([code, ok]).toEqual([2, false])
  expect(problems).toContainEqual(
    expect.objectContaining({ file: join(folder, 'federation.yaml'), key: 'sealling', didYouMean: 'sealing' })
  )
  expect(problems).toContainEqual(
    expect.objectContaining({
      file: join(folder, 'peers.yaml'),
      line: 3,
      column: 10,
      key: 'peers[0].did',
      code: 'CONFIG_INVALID'
    })
  )
  const text = await run(['config', 'validate', '--data', folder])
  expect(text.stdout).toContain(`${join(folder, 'peers.yaml')}:3:10 peers[0].did:`)
})

test('a missing file, a keystore that others may read, a variable and the other file are told together', async () => {
  const folder = await folderOf('alpha')
  append(folder, 'sealling: {}')
  rmSync(join(folder, 'peers.yaml'))
  chmodSync(join(folder, 'keystore.json'), 0o644)
  const environment = { ANCHORMESH_SYNC_INTERVALL_MS: '5000' }
  const { code, stdout } = await run(['config', 'validate', '--data', folder, '--json'], { environment })
  const { problems } = JSON.parse(stdout) as { problems: { file: string; key: string; code: string }[] }
  expect(code).toBe(2)
  expect(problems.map(({ file, key, code: what }) => [basename(file), key, what])).toEqual([
    ['environment', 'ANCHORMESH_SYNC_INTERVALL_MS', 'CONFIG_INVALID'],
    ['federation.yaml', 'sealling', 'CONFIG_INVALID'],
    ['peers.yaml', '', 'FILE_MISSING'],
    ['keystore.json', '', 'KEYSTORE_PERMISSIONS']
  ])
})

test('a keystore that others may read, and key files of rails, are problems too', async () => {
  const folder = await folderOf('alpha')
  edit(folder, (text) => text.replace(/^rails:.*$/m, '# rails'))
  append(folder, "rails:\n  eip155:\n    1:\n      rpc: ['https://rpc.example']\n      account: { keyFile: none.key }")
  const { code, stdout } = await run(['config', 'validate', '--data', folder, '--json'])
  expect(code).toBe(2)
  expect(stdout).toContain('rails.eip155.1.account.keyFile')
})

test('a flag goes before the environment, that before the file, and the file before the default', async () => {
  const folder = await folderOf('alpha')
  const plain = await shownOf(folder)
  expect(plain.get('sync.intervalMs')).toMatchObject({ source: 'default', place: null })
  const { value, source, place } = plain.get('node.orgId') ?? { value: null, source: null, place: null }
  expect([value, source]).toEqual(['alpha', 'file'])
  expect(place).toMatch(/federation\.yaml:[0-9]+:[0-9]+$/)
  const environment = {
    ANCHORMESH_NODE_ORG_ID: 'beta',
    ANCHORMESH_SYNC_INTERVAL_MS: '5000',
    ANCHORMESH_NODE_MDNS: 'true'
  }
  const shown = await runJsonLines<Shown>(['config', 'show', 'sync', '--data', folder], {
    environment: { ANCHORMESH_SYNC_INTERVAL_MS: '5000' }
  })
  expect(shown).toEqual([
    { key: 'sync.intervalMs', value: 5_000, source: 'environment', place: 'ANCHORMESH_SYNC_INTERVAL_MS' }
  ])
  const other = await shownOf(folder, environment)
  expect(other.get('node.mdns')).toMatchObject({ value: true, source: 'environment' })
  expect(other.get('node.orgId')).toMatchObject({ value: 'beta', source: 'environment' })
  const flags = [{ path: ['node', 'orgId'], value: 'gamma', source: 'command line', name: '--org' } as const]
  const { settings, policy } = await loadConfig({ folder, environment, flags })
  expect(settings.find(({ key }) => key === 'node.orgId')).toMatchObject({
    value: 'gamma',
    source: 'flag',
    place: '--org'
  })
  expect(policy.self.orgId).toBe('gamma')
})

test('credentials of providers are not shown', async () => {
  const folder = await folderOf('alpha')
  edit(folder, (text) => text.replace(/^rails:.*$/m, '# rails'))
  append(folder, "rails:\n  btc:\n    mainnet: { providers: ['bitcoind+http://me:hush@127.0.0.1:8332'] }")
  expect((await shownOf(folder)).get('rails.btc.mainnet.providers')?.value).toEqual([
    'bitcoind+http://***@127.0.0.1:8332'
  ])
  expect((await run(['config', 'show', '--data', folder])).stdout).not.toContain('hush')
})

test('a running node takes in a new peer on SIGHUP and by command, says what changed, and keeps what it has where the file is bad', async () => {
  const [alpha, beta] = [await folderOf('alpha'), await folderOf('beta')]
  const first = await startNode(alpha)
  await admit(beta, [await entryOf(alpha, meshPortOf(first))])
  const second = await startNode(beta)
  await admit(alpha, [await entryOf(beta, meshPortOf(second))])
  first.process.kill('SIGHUP')
  await untilAnswer('the two are connected', async () => {
    const { network } = await adminOf(alpha).status()
    return network?.peers[0]?.connected === true
  })
  await until('the log says what changed', () => first.stderr().includes('the configuration was reloaded'))
  await adminOf(beta).seal({ namespace: NAMESPACE, batchId: 'b', receipts: [1] })
  const { id } = await adminOf(beta).announce({ namespace: NAMESPACE, batchId: 'b', timestampAnchors: [] })
  await untilAnswer('what the new peer announces comes', async () => (await adminOf(alpha).event(id)) !== null)

  edit(alpha, (text) => text.replace('127.0.0.1:8088', '127.0.0.1:8099'))
  append(alpha, 'sync: { intervalMs: 5000 }')
  const reloaded = await runJson<ConfigReloaded>(['config', 'reload', '--data', alpha])
  expect(reloaded).toEqual({
    isNewPolicy: false,
    changes: [{ key: 'sync.intervalMs', before: 60_000, after: 5_000, needsRestart: false }]
  })

  const good = readFileSync(join(alpha, 'peers.yaml'), 'utf8')
  writeFileSync(join(alpha, 'peers.yaml'), 'v: 1\npeers: []\npeerz: []\n')
  const { exitCode, error } = await runFailing(['config', 'reload', '--data', alpha])
  expect([exitCode, error.code]).toEqual([2, 'CONFIG_INVALID'])
  expect(error.message).toContain('peerz')
  const errors = first.stderr().split('the configuration was not reloaded').length
  first.process.kill('SIGHUP')
  await until('SIGHUP says it, too', () => first.stderr().split('the configuration was not reloaded').length > errors)
  expect((await adminOf(alpha).status()).network?.peers).toHaveLength(1)

  writeFileSync(join(alpha, 'peers.yaml'), good)
  edit(alpha, (text) => text.replace(/orgId: .*/, 'orgId: gamma'))
  expect((await runFailing(['config', 'reload', '--data', alpha])).error.message).toContain('node.orgId')
  edit(alpha, (text) => text.replace(/orgId: .*/, 'orgId: alpha'))

  // Without its only peer the mesh is cut.
  writeFileSync(join(alpha, 'peers.yaml'), 'v: 1\npeers: []\n')
  const without = (line: string): boolean => !line.includes(second.ready.did)
  edit(alpha, (text) => text.split('\n').filter(without).join('\n'))
  const removed = await runJson<ConfigReloaded>(['config', 'reload', '--data', alpha])
  expect(removed.isNewPolicy).toBe(true)
  await untilAnswer('the peer is cut off', async () => {
    const { network } = await adminOf(beta).status()
    return network?.peers[0]?.connected === false
  })
  expect((await adminOf(alpha).status()).network?.peers).toEqual([])
})

test('another key in the file of an account is a change, which the node goes by at once', async () => {
  const folder = await folderOf('alpha')
  const keyFile = join(folder, 'evm.key')
  writeFileSync(keyFile, '11'.repeat(32), { mode: 0o600 })
  append(folder, "rails:\n  eip155:\n    1:\n      rpc: ['http://127.0.0.1:9']\n      account: { keyFile: evm.key }")
  await startNode(folder)
  const reload = (): Promise<ConfigReloaded> => runJson<ConfigReloaded>(['config', 'reload', '--data', folder])
  expect((await reload()).changes).toEqual([])
  writeFileSync(keyFile, '22'.repeat(32))
  const key = 'rails.eip155.1.account.address'
  // Of the private keys of ones and of twos.
  const [before, after] = ['19e7e376e7c213b7e7e7e46cc70a5dd086daff2a', '1563915e194d8cfba1943570603f7606a3115508']
  expect((await reload()).changes).toEqual([{ key, before, after, needsRestart: false }])
  expect((await reload()).changes).toEqual([])
  chmodSync(keyFile, 0o644)
  const { exitCode, error } = await runFailing(['config', 'reload', '--data', folder])
  expect([exitCode, error.code]).toEqual([2, 'CONFIG_INVALID'])
  expect(error.message).toMatch(/federation\.yaml:[0-9]+:[0-9]+ rails\.eip155\.1\.account\.keyFile: /)
})

test('what needs a restart is said each time until it was restarted', async () => {
  const folder = await folderOf('alpha')
  await startNode(folder, { environment: { ANCHORMESH_NODE_LISTEN: LOOPBACK['ANCHORMESH_NODE_LISTEN'] ?? '' } })
  edit(folder, (text) => text.replace(/^( +)mdns: false/m, '$1mdns: true'))
  for (let turn = 0; turn < 2; turn += 1) {
    const { changes } = await runJson<ConfigReloaded>(['config', 'reload', '--data', folder])
    expect(changes.find(({ key }) => key === 'node.mdns')).toMatchObject({
      before: false,
      after: true,
      needsRestart: true
    })
  }
})

test('a storm of SIGHUPs, also while it starts and stops: the last file is in force, in few reloads, and it stops in order', async () => {
  const folder = await folderOf('alpha')
  append(folder, 'sync: { intervalMs: 5000 }')
  const alpha = launch(['start', '--data', folder], { environment: LOOPBACK })
  await until('it opens its store', () => existsSync(join(folder, 'store', 'LOCK')))
  alpha.process.kill('SIGHUP')
  await until('it serves', () => alpha.stdout().includes('ready '))
  for (let round = 1; round <= STORM; round += 1) {
    edit(folder, (text) => text.replace(/intervalMs: [0-9]+/, `intervalMs: ${5_000 + round}`))
    alpha.process.kill('SIGHUP')
    await new Promise(setImmediate)
  }
  await until('the last is in force', () => alpha.stderr().includes(`"after":${5_000 + STORM},`))
  // Comes after all that were asked for before.
  expect((await runJson<ConfigReloaded>(['config', 'reload', '--data', folder])).changes).toEqual([])
  const reloads = alpha.stderr().split('the configuration was reloaded').length - 1
  expect(reloads).toBeLessThan(STORM / 2)
  alpha.process.kill('SIGTERM')
  await until('it stops', () => alpha.stderr().includes('the node stops'))
  alpha.process.kill('SIGHUP')
  const { code, signal } = await alpha.ended
  expect({ code, signal }).toEqual({ code: 143, signal: null })
})

test('without a node there is nothing to reload', async () => {
  const folder = await folderOf('alpha')
  expect((await runFailing(['config', 'reload', '--data', folder])).error.code).toBe('NODE_NOT_RUNNING')
})
