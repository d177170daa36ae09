import { existsSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { once } from 'node:events'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import type { Digest, LoggedEvent, LogVerification, Published, SealedBatch } from '../../src/operations.ts'
import { launch, newFolder, run, runFailing, runJson, runJsonLines, runWell } from '../support/cli.ts'
import { LOOPBACK, NAMESPACE, adminFileOf, askAdmin, init, readAdmin, startNode } from '../support/nodes.ts'
import type { ServingNode, Status } from '../support/nodes.ts'
import { until } from '../support/until.ts'

const BATCH = ['--namespace', NAMESPACE, '--batch', 'b-1']

/** A data folder, and the node that runs on it. */
async function serving(): Promise<{ readonly folder: string; readonly node: ServingNode }> {
  const folder = join(newFolder(), 'node')
  await init(folder, 'maker')
  return { folder, node: await startNode(folder) }
}

/** A program that has a port. */
async function otherProgram(): Promise<{ readonly port: number; readonly server: Server }> {
  const server = createServer((_request, response) => response.end('hello'))
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return { port: (server.address() as AddressInfo).port, server }
}

describe('with a node running, a verb goes through its admin listener', () => {
  test('the ready line, run/admin.json, and every verb', async () => {
    const { folder, node } = await serving()
    const data = ['--data', folder]
    expect(node.ready.did).toMatch(/^did:key:z6Mk/)
    const [multiaddr = '', ...others] = node.ready.multiaddrs
    expect(others).toEqual([])
    expect(multiaddr).toMatch(new RegExp(`^/ip4/127\\.0\\.0\\.1/tcp/[0-9]+/p2p/${node.ready.peerId}$`))
    expect(statSync(adminFileOf(folder)).mode & 0o777).toBe(0o600)
    expect(readAdmin(folder)).toMatchObject({ pid: node.process.pid, url: node.ready.admin })

    const sealed = await runJson<SealedBatch>(['seal', ...BATCH, ...data, '-'], { input: '{"a":1}\n"b"\n' })
    expect(sealed).toMatchObject({ owner: 'maker', receiptCount: 2 })
    const published = await runJson<Published>(['announce', ...BATCH, ...data])
    expect(await runJson(['pack', 'publish', ...data])).toMatchObject({ orgId: 'maker', packSeq: 1 })
    const events = await runJsonLines<LoggedEvent>(['events', '--scope', 'all', ...data])
    // After these the node may log what it has learned of them.
    expect(events.slice(0, 4).map(({ event }) => event['type'])).toEqual([
      'policy',
      'batch-sealed',
      'announce',
      'anchor-pack'
    ])
    expect(events[2]?.id).toBe(published.id)
    expect(await runJsonLines(['query', 'batches', ...BATCH, ...data])).toMatchObject([{ batchRoot: sealed.batchRoot }])
    const digest = await runJson<Digest>(['digest', '--namespace', NAMESPACE, ...data])
    const verification = await runJson<LogVerification>(['log', 'verify', ...data])
    expect(verification.ok).toBe(true)
    expect(verification.records).toBeGreaterThanOrEqual(events.length)
    expect(await runJsonLines(['log', 'rebuild', ...data])).not.toContainEqual(
      expect.objectContaining({ identical: false })
    )
    const exported = await runWell(['log', 'export', '-', ...data])
    expect(await runJson(['log', 'import', '-', ...data], { input: exported })).toMatchObject({ read: 2, duplicate: 2 })
    expect(await runWell(['status', ...data])).toMatch(/^node +running for [0-9.]+ s\n/)
    expect(await runJson(['identity', ...data])).toMatchObject({ addresses: [multiaddr.replace(/\/p2p\/.*/, '')] })

    const overHttp = await fetch(new URL(`/v1/digest?namespace=${NAMESPACE}`, node.ready.http))
    expect(await overHttp.json()).toEqual(digest)
  })

  test('a refusal of the node is the refusal of the verb, and so is one of its folder', async () => {
    const { folder } = await serving()
    const second = await runFailing(['start', '--data', folder], { environment: LOOPBACK })
    expect(second).toMatchObject({ exitCode: 1, stdout: '', error: { code: 'STORE_LOCKED' } })
    const { url } = readAdmin(folder)
    expect(second.error.hint).toBe(`a node is already running on this folder (admin at ${url}): anchormesh status`)
    expect(existsSync(adminFileOf(folder))).toBe(true)
    expect(await runJson(['status', '--data', folder])).toMatchObject({ health: { ok: true } })

    const unknown = await runFailing(['announce', ...BATCH, '--data', folder])
    expect(unknown).toMatchObject({ exitCode: 1, error: { code: 'BATCH_UNKNOWN' } })
    const nope = await runFailing(['query', 'nope', '--data', folder])
    expect(nope).toMatchObject({ exitCode: 2, error: { code: 'UNKNOWN_PROJECTION' } })
    const broken = await runFailing(['seal', ...BATCH, '--data', folder, '-'], { input: '{"a":1}\n{"a":' })
    expect(broken).toMatchObject({ exitCode: 1, error: { code: 'RECEIPTS_INVALID' } })
    expect(broken.error.message).toContain('line 2')
    expect(await runJsonLines(['query', 'receipts', '--data', folder])).toEqual([])

    const answer = await fetch(new URL('/v1/admin/status', url), { headers: { authorization: 'Bearer wrong' } })
    expect(answer.status).toBe(401)
    writeFileSync(adminFileOf(folder), JSON.stringify({ ...readAdmin(folder), token: 'wrong' }))
    expect(await runFailing(['status', '--data', folder])).toMatchObject({
      exitCode: 1,
      error: { code: 'STORE_LOCKED' }
    })
  })

  test('events --follow and status --watch go on until interrupted; a reader that goes away ends it well', async () => {
    const { folder } = await serving()
    const data = ['--data', folder]
    const following = launch(['events', '--follow', '--json', ...data])
    const first = launch(['events', '--follow', '--json', ...data])
    first.process.stdout?.once('data', () => first.process.stdout?.destroy())
    await runWell(['seal', ...BATCH, ...data, '-'], { input: '1\n' })
    const published = await runJson<Published>(['announce', ...BATCH, ...data])
    await until('the event is printed', () => following.stdout().includes(published.id))
    await until('the other has printed it', () => first.stdout().includes(published.id))
    await runWell(['announce', ...BATCH, ...data, '--timestamp-anchor', anchorFile(folder)])
    expect((await first.ended).code).toBe(0)
    following.process.kill('SIGINT')
    expect((await following.ended).code).toBe(130)

    const watching = launch(['status', '--watch', '--json', '--data', folder])
    await until('three answers', () => watching.stdout().split('\n').length > 3)
    watching.process.kill('SIGTERM')
    expect((await watching.ended).code).toBe(143)
    const [line] = watching.stdout().split('\n')
    expect((JSON.parse(line ?? '') as Status).network).not.toBeNull()
  })
})

describe('a node ends in order', () => {
  test.each([
    ['SIGTERM', 143],
    ['SIGINT', 130]
  ] as const)('%s: exit code %i, run/admin.json is gone, the folder is free', async (signal, code) => {
    const { folder, node } = await serving()
    node.process.kill(signal)
    const ended = await node.ended
    // Nothing but the ready line is on standard output.
    expect(ended).toMatchObject({ code, signal: null, stdout: `ready ${JSON.stringify(node.ready)}\n` })
    expect(ended.stderr).not.toContain('the node carries no namespace')
    expect(existsSync(adminFileOf(folder))).toBe(false)
    expect(await runJson(['log', 'verify', '--data', folder])).toMatchObject({ ok: true })
  })

  test('POST /v1/admin/shutdown: exit code 0', async () => {
    const { folder, node } = await serving()
    const answer = await askAdmin(folder, '/v1/admin/shutdown', 'POST')
    expect(answer.ok).toBe(true)
    expect((await node.ended).code).toBe(0)
    expect(existsSync(adminFileOf(folder))).toBe(false)
  })

  test('--while-stdin: with the program that runs it', async () => {
    const folder = join(newFolder(), 'node')
    await init(folder, 'maker')
    const node = await startNode(folder, { args: ['--while-stdin'], keepInput: true })
    node.process.stdin?.end()
    expect((await node.ended).code).toBe(0)
    expect(existsSync(adminFileOf(folder))).toBe(false)
  })

  test('a command that has the store is interrupted in order, too', async () => {
    const folder = join(newFolder(), 'node')
    await init(folder, 'maker')
    const sealing = launch(['seal', ...BATCH, '--data', folder, '-'], { keepInput: true })
    sealing.process.stdin?.write('{"a":1}\n')
    await until('the store is open', () => existsSync(join(folder, 'store.json')))
    sealing.process.kill('SIGINT')
    expect((await sealing.ended).code).toBe(130)
    expect(await runJson(['log', 'verify', '--data', folder])).toMatchObject({ ok: true })
    expect(await runJsonLines(['query', 'receipts', '--data', folder])).toEqual([])
  })
})

describe('what is in the way', () => {
  test.each([
    ['the mesh', (port: number) => ({ ANCHORMESH_NODE_LISTEN: `/ip4/127.0.0.1/tcp/${port}` })],
    ['HTTP', (port: number) => ({ ANCHORMESH_HTTP_LISTEN: `127.0.0.1:${port}` })],
    ['the admin listener', (port: number) => ({ ANCHORMESH_ADMIN_LISTEN: `127.0.0.1:${port}` })]
  ])('a port for %s that is in use', async (_what, listen) => {
    const folder = join(newFolder(), 'node')
    await init(folder, 'maker')
    const { port, server } = await otherProgram()
    const failed = await runFailing(['start', '--data', folder], { environment: { ...LOOPBACK, ...listen(port) } })
    server.close()
    expect(failed).toMatchObject({ exitCode: 1, stdout: '', error: { code: 'PORT_IN_USE' } })
    expect(failed.error.message).toContain(String(port))
    expect(existsSync(adminFileOf(folder))).toBe(false)
    expect(await runJson(['status', '--data', folder])).toMatchObject({ health: { ok: true } })
  })

  test('a run/admin.json that a killed node has left: nobody there, or another program', async () => {
    const { folder, node } = await serving()
    await runWell(['seal', ...BATCH, '--data', folder, '-'], { input: '1\n' })
    const before = await runJson<Status>(['status', '--data', folder])
    node.process.kill('SIGKILL')
    await node.ended
    expect(existsSync(adminFileOf(folder))).toBe(true)
    const after = await runJson<Status>(['status', '--data', folder])
    expect(after).toMatchObject({ network: null, log: { logSeq: before.log.logSeq, headHash: before.log.headHash } })

    const { port, server } = await otherProgram()
    writeFileSync(adminFileOf(folder), JSON.stringify({ ...readAdmin(folder), url: `http://127.0.0.1:${port}/` }))
    expect(await runJson(['status', '--data', folder])).toMatchObject({ network: null })
    server.close()
    server.closeAllConnections()

    const again = await startNode(folder)
    expect(readAdmin(folder).pid).toBe(again.process.pid)
    const back = await runJson<Status>(['status', '--data', folder])
    expect(back.log).toMatchObject({ logSeq: before.log.logSeq, headHash: before.log.headHash })
  })
})

test('a node that carries no namespace says so at the start', async () => {
  const folder = join(newFolder(), 'node')
  await runWell(['init', '--org', 'maker', '--data', folder])
  const node = await startNode(folder)
  expect(node.stderr()).toContain('the node carries no namespace')
})

test('settings without effect are named at the start, each once, with its line', async () => {
  const folder = join(newFolder(), 'node')
  await init(folder, 'maker')
  const file = join(folder, 'peers.yaml')
  const { did } = JSON.parse(await runWell(['status', '--json', '--data', folder])) as { readonly did: string }
  const pinned = `peers:\n  - did: ${did}\n    orgId: maker\n    certificatePins: [${'a'.repeat(64)}]`
  const text = readFileSync(file, 'utf8').replace('peers: []', pinned)
  writeFileSync(file, text)
  const node = await startNode(folder)
  const warnings = node
    .stderr()
    .split('\n')
    .filter((line) => line.includes('no effect without http.tls'))
  expect(warnings).toHaveLength(1)
  const [warning] = warnings.map((line) => JSON.parse(line) as { readonly msg: string })
  const line = text.split('\n').findIndex((written) => written.includes('certificatePins')) + 1
  expect(warning).toMatchObject({ file, line, key: 'peers[0].certificatePins' })
  expect(warning?.msg).toMatch(
    /peers\.yaml:[0-9]+:[0-9]+ peers\[0\]\.certificatePins: is accepted, but has no effect without http.tls$/
  )
})

test('with --json the ready line is an object', async () => {
  const folder = join(newFolder(), 'node')
  await init(folder, 'maker')
  const node = launch(['start', '--json', '--data', folder], { environment: LOOPBACK })
  await until('the node serves', () => node.stdout().endsWith('\n'))
  expect(JSON.parse(node.stdout())).toMatchObject({ ready: true, admin: readAdmin(folder).url })
})

test('a wrong option of start is wrong usage', async () => {
  expect((await run(['start', '--daemon'])).code).toBe(2)
})

/** A file with a timestamp anchor; nobody looks into the token yet. */
function anchorFile(folder: string): string {
  const file = join(folder, 'anchor.json')
  writeFileSync(file, JSON.stringify({ chainId: 'rfc3161:test', token: 'MAA' }))
  return file
}
