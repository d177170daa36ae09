import { join } from 'node:path'
import { expect, test } from 'vitest'
import type { CreatedToken, TokenView } from '../../src/access/token-operations.ts'
import { newFolder, runFailing, runJson, runJsonLines, runWell } from '../support/cli.ts'
import { NAMESPACE, init, startNode } from '../support/nodes.ts'

// What a reverse proxy on this machine tells of somebody from elsewhere.
const ELSEWHERE = { 'x-forwarded-for': '203.0.113.9' }

test('a token is made without a node running, opens its namespaces at one that runs, and is revoked there', async () => {
  const folder = join(newFolder(), 'node')
  await init(folder, 'maker')
  const data = ['--data', folder]
  const line = await runWell(['tokens', 'create', '--namespace', NAMESPACE, '--label', 'dash', ...data])
  expect(line).toMatch(/^[0-9a-f]{16}\.[A-Za-z0-9_-]{43}\n$/)
  const token = line.trim()
  const node = await startNode(folder)
  const ask = async (shown: string): Promise<number> =>
    (
      await fetch(`${node.ready.http}/v1/projections/batches?namespace=${NAMESPACE}`, {
        headers: { authorization: `Bearer ${shown}`, ...ELSEWHERE }
      })
    ).status
  expect(await ask(token)).toBe(200)
  const other = await runJson<CreatedToken>([
    'tokens',
    'create',
    '--namespace',
    NAMESPACE,
    '--ttl',
    '12h',
    '--json',
    ...data
  ])
  expect(other.expiresAt - other.createdAt).toBe(43_200_000)
  expect(await ask(other.token)).toBe(200)
  const listed = await runJsonLines<TokenView>(['tokens', 'list', '--json', ...data])
  expect(listed).toMatchObject([{ label: 'dash' }, { id: other.id }])
  expect(listed.every(({ lastUsedAt }) => lastUsedAt !== null)).toBe(true)
  expect(JSON.stringify(listed)).not.toContain(other.token.split('.')[1])
  expect(await runWell(['tokens', 'revoke', other.id, ...data])).toBe(`Revoked ${other.id}.\n`)
  expect([await ask(other.token), await ask(token)]).toEqual([401, 200])
  const peers = await runJsonLines(['query', 'peers', '--json', ...data])
  const audited = await runJsonLines<{ readonly action: string }>(['query', 'audit', '--json', ...data])
  expect([peers, audited.filter(({ action }) => action.startsWith('TOKEN_')).length]).toEqual([[], 3])
})

test('what can’t be is wrong usage, or refused', async () => {
  for (const [args, named] of [
    [['create', '--ttl', 'soon'], '--ttl'],
    [['create', '--tenant', 'A B'], '--tenant'],
    [['revoke', 'all'], 'id']
  ] as const) {
    const { exitCode, error } = await runFailing(['tokens', ...args, '--json'])
    expect([exitCode, error.code]).toEqual([2, 'USAGE'])
    expect(error.message).toContain(named)
  }
})
