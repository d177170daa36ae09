import { chmodSync, existsSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { newKey, readKeystore, withKey, writeKeystore } from '../../src/cli/data-folder/keystore.ts'
import { systemRandom } from '../../src/platform/random.ts'
import type { AuditRecord } from '../../src/audit/operations.ts'
import type { NodeStatus } from '../../src/operations.ts'
import { launch, newFolder, run, runFailing, runJson, runJsonLines, runWell } from '../support/cli.ts'
import type { Running } from '../support/cli.ts'
import { NAMESPACE, init, startNode } from '../support/nodes.ts'
import { until } from '../support/until.ts'

interface File {
  readonly keys: readonly { readonly kid: string; readonly purpose: readonly string[] }[]
  readonly external?: readonly { readonly kid: string }[]
}

interface Hardened {
  readonly data: string
  readonly socket: string
  /** The keystore that only the signer has. */
  readonly keystore: string
}

const read = (path: string): File => JSON.parse(readFileSync(path, 'utf8')) as File

/** A node whose signing key is held by a process of its own, not running yet. */
async function hardened(): Promise<Hardened> {
  const folder = newFolder()
  const [data, socket, keystore] = [join(folder, 'data'), join(folder, 's.sock'), join(folder, 'keys.json')]
  await init(data, 'maker')
  writeFileSync(keystore, readFileSync(join(data, 'keystore.json')), { mode: 0o600 })
  const config = join(data, 'federation.yaml')
  writeFileSync(config, readFileSync(config, 'utf8').replace(/^node:\n/m, `node:\n  signer: unix:${socket}\n`))
  const signer = await startSigner(socket, keystore)
  await runWell(['signer', 'adopt', '--remove-private', '--data', data])
  await end(signer, 'SIGTERM')
  return { data, socket, keystore }
}

async function startSigner(socket: string, keystore: string): Promise<Running> {
  const signer = launch(['signer', '--socket', socket, '--keystore', keystore])
  await until('the signer', () => signer.stdout().includes('ready') || signer.process.exitCode !== null)
  if (signer.process.exitCode !== null) throw new Error(signer.stderr())
  return signer
}

async function end(signer: Running, signal: 'SIGTERM' | 'SIGKILL'): Promise<void> {
  signer.process.kill(signal)
  await signer.ended
}

/** Seals and announces one receipt. */
async function publish(data: string, batch: string): Promise<{ code: number | null; stderr: string }> {
  const place = ['--data', data, '--namespace', NAMESPACE, '--batch', batch]
  await runWell(['seal', ...place, '-'], { input: '"a"\n' })
  return await run(['announce', ...place, '--json'])
}

const warningsOf = async (data: string): Promise<readonly string[]> =>
  (await runJson<NodeStatus>(['status', '--data', data])).warnings

describe('a node that another process signs for', () => {
  test('has no key that signs, signs all the same, and says so when the signer is killed', async () => {
    const { data, socket, keystore } = await hardened()
    const own = read(join(data, 'keystore.json'))
    expect(own.keys.flatMap(({ purpose }) => purpose)).toEqual(['peer'])
    expect(own.external?.map(({ kid }) => kid)).toHaveLength(1)
    const adoptions = await runJsonLines<AuditRecord>(['audit', '--action', 'SIGNER_ADOPTED', '--data', data])
    expect(adoptions).toMatchObject([
      { actor: 'operator', subject: socket, outcome: 'ok', detail: { adopted: own.external?.[0]?.kid, removed: 1 } }
    ])

    const signer = await startSigner(socket, keystore)
    expect(statSync(socket).mode & 0o777).toBe(0o600)
    const node = await startNode(data)
    expect((await publish(data, 'b-1')).code).toBe(0)
    expect(await warningsOf(data)).toEqual([])

    await end(signer, 'SIGKILL')
    const refused = await publish(data, 'b-2')
    expect([refused.code, refused.stderr]).toEqual([1, expect.stringContaining('SIGNER_UNAVAILABLE')])
    expect(refused.stderr).toContain('node.signer')
    expect(await warningsOf(data)).toEqual([expect.stringContaining(socket)])

    // The socket that the killed one left is in nobody's way.
    expect(existsSync(socket)).toBe(true)
    const again = await startSigner(socket, keystore)
    expect((await run(['announce', '--data', data, '--namespace', NAMESPACE, '--batch', 'b-2'])).code).toBe(0)
    expect(await warningsOf(data)).toEqual([])
    node.process.kill('SIGTERM')
    expect((await node.ended).code).toBe(143)
    await end(again, 'SIGTERM')
    expect(existsSync(socket)).toBe(false)
  })

  test('starts while the signer is away', async () => {
    const { data, socket, keystore } = await hardened()
    await startNode(data)
    expect(await warningsOf(data)).toEqual([expect.stringContaining(socket)])
    expect((await publish(data, 'b-1')).code).toBe(1)
    await startSigner(socket, keystore)
    expect((await run(['announce', '--data', data, '--namespace', NAMESPACE, '--batch', 'b-1'])).code).toBe(0)
  })

  test('has its key rotated where that is held, and makes none that nobody could sign with', async () => {
    const { data, socket, keystore } = await hardened()
    const signer = await startSigner(socket, keystore)
    const node = await startNode(data)
    expect((await publish(data, 'b-1')).code).toBe(0)
    const [old = ''] = (read(join(data, 'keystore.json')).external ?? []).map(({ kid }) => kid)
    const refused = await runFailing(['keys', 'rotate', '--data', data])
    expect([refused.error.code, refused.error.hint]).toEqual(['KEY_NOT_HELD', expect.stringContaining('signer adopt')])
    expect(read(join(data, 'keystore.json')).keys.flatMap(({ purpose }) => purpose)).toEqual(['peer'])

    const made = newKey(['event', 'pack'], systemRandom, 2)
    await writeKeystore(keystore, withKey(await readKeystore(keystore), made), false)
    await end(signer, 'SIGTERM')
    const again = await startSigner(socket, keystore)
    await runWell(['signer', 'adopt', '--data', data])
    await runWell(['keys', 'add', made.kid, '--data', data])
    await runWell(['keys', 'retire', old, '--data', data])
    await runWell(['pack', 'publish', '--data', data])
    expect((await publish(data, 'b-2')).code).toBe(0)
    const announces = await runJsonLines<{ readonly event: { readonly kid: string } }>([
      'events',
      '--namespace',
      NAMESPACE,
      '--type',
      'announce',
      '--data',
      data
    ])
    expect(announces.map(({ event }) => event.kid)).toEqual([old, made.kid])
    expect(await runJsonLines(['query', 'effects', '--data', data])).toEqual([])
    node.process.kill('SIGTERM')
    await node.ended
    await end(again, 'SIGTERM')
  })

  test('takes no signature of another key', async () => {
    const { data, socket } = await hardened()
    const other = join(newFolder(), 'other')
    await init(other, 'other')
    const path = join(other, 'keystore.json')
    const kid = read(join(data, 'keystore.json')).external?.[0]?.kid ?? ''
    const lying = read(path)
    writeFileSync(
      path,
      JSON.stringify({ ...lying, keys: lying.keys.map((key, at) => (at === 0 ? { ...key, kid } : key)) })
    )
    chmodSync(path, 0o600)
    await startSigner(socket, path)
    const refused = await publish(data, 'b-1')
    expect([refused.code, refused.stderr]).toEqual([1, expect.stringContaining('has another key')])
    const { exitCode, error } = await runFailing(['signer', 'adopt', '--data', data])
    expect([exitCode, error.code]).toEqual([2, 'USAGE'])
  })

  test('the signer refuses a path where somebody listens, and what is no socket', async () => {
    const { socket, keystore } = await hardened()
    await startSigner(socket, keystore)
    for (const path of [socket, keystore]) {
      const { exitCode, error } = await runFailing(['signer', '--socket', path, '--keystore', keystore])
      expect([exitCode, error.code]).toEqual([1, 'PORT_IN_USE'])
    }
    expect(read(keystore).keys.length).toBeGreaterThan(0)
  })
})
