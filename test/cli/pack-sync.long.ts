import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import type { PackPushResult, PackSyncResult, SyncPlan } from '../../src/operations.ts'
import { newFolder, run, runFailing, runJson, runJsonLines, runWell } from '../support/cli.ts'
import { LOOPBACK, init, startNode } from '../support/nodes.ts'

/** Two folders that know each other, allow the exchange of packs, and have one source of alpha's. */
async function twoFolders(source: string): Promise<{ readonly alpha: string; readonly beta: string }> {
  const folder = newFolder()
  const [alpha, beta] = [join(folder, 'alpha'), join(folder, 'beta')]
  await init(alpha, 'alpha')
  await init(beta, 'beta')
  const didOf = (of: string): string => /did:key:\w+/.exec(readFileSync(join(of, 'federation.yaml'), 'utf8'))?.[0] ?? ''
  for (const [of, other, orgId] of [
    [alpha, beta, 'beta'],
    [beta, alpha, 'alpha']
  ] as const) {
    const lines = [
      'v: 1',
      `peers: [{ did: '${didOf(other)}', orgId: ${orgId} }]`,
      `organisations: [{ orgId: ${orgId}, sources: ['${source}'] }]`,
      `crossOrg: { allow: [{ from: '*', to: '*', operations: [pack-pull, pack-push] }] }`
    ]
    writeFileSync(join(of, 'peers.yaml'), `${lines.join('\n')}\n`)
  }
  return { alpha, beta }
}

describe('packs beside the mesh', () => {
  test('by file, without a running node: push, plan, pull, and again', async () => {
    const { alpha, beta } = await twoFolders('file:alpha.packs')
    const file = join(beta, 'alpha.packs')
    const [plan] = await runJsonLines<SyncPlan['entries'][number]>(['pack', 'plan', '--data', beta])
    expect(plan).toMatchObject({ orgId: 'alpha', source: `file:${file}`, afterPackSeq: 0, reason: null })
    await runWell(['pack', 'publish', '--data', alpha])
    const pushed = await runJson<PackPushResult>(['pack', 'push', '--to', `file:${file}`, '--data', alpha])
    expect(pushed).toMatchObject({ orgId: 'alpha', outcome: 'done', headPackSeq: 1, outcomes: { accepted: 1 } })
    const pulled = await runJson<PackSyncResult>(['pack', 'pull', 'alpha', '--data', beta])
    expect(pulled).toMatchObject({ orgId: 'alpha', outcome: 'done', from: 0, to: 1, applied: 1 })
    const again = await runWell(['pack', 'pull', '--data', beta])
    expect(again).toMatch(/^ORGANISATION +SOURCE +END +PACK +NEW\nalpha +file:.+ +done +1 +0\n$/)
    const query = ['query', 'trust-anchors', '--json', '--data']
    const [here, there] = await Promise.all([runWell([...query, beta]), runWell([...query, alpha])])
    expect(here).toBe(there)
  })

  test('a file that is not there is 3, one that holds something else is 1', async () => {
    const { beta } = await twoFolders('file:alpha.packs')
    const file = join(beta, 'alpha.packs')
    const absent = await run(['pack', 'pull', '--data', beta])
    expect([absent.code, absent.stdout]).toEqual([3, expect.stringContaining('SOURCE_UNREACHABLE')])
    writeFileSync(file, 'notes\n')
    const lying = await run(['pack', 'pull', 'alpha', '--data', beta])
    expect([lying.code, lying.stdout]).toEqual([1, expect.stringContaining('SOURCE_BROKEN')])
  })

  test('over HTTP, with running nodes that are not connected', async () => {
    const { alpha, beta } = await twoFolders('file:none')
    await runWell(['pack', 'publish', '--data', alpha])
    const serving = await startNode(alpha)
    const { http } = serving.ready
    const page = (await (await fetch(`${http}/v1/packs/alpha`)).json()) as { headPackSeq: number; packs: string[] }
    expect([page.headPackSeq, page.packs.length]).toEqual([1, 1])
    await startNode(beta, { environment: LOOPBACK })
    const pulled = await runJson<PackSyncResult>(['pack', 'pull', 'alpha', '--from', http, '--data', beta])
    expect(pulled).toMatchObject({ source: http, outcome: 'done', to: 1, applied: 1 })
    await runWell(['pack', 'publish', '--data', beta])
    const pushed = await runWell(['pack', 'push', 'alpha', '--to', http, '--data', beta])
    expect(pushed).toMatch(/done +1 +1 accepted/)
    expect(((await (await fetch(`${http}/v1/packs/beta`)).json()) as { headPackSeq: number }).headPackSeq).toBe(1)
    serving.process.kill('SIGTERM')
    await serving.ended
    const gone = await run(['pack', 'pull', 'alpha', '--from', http, '--data', beta])
    expect(gone.code).toBe(3)
  })

  test('what is wrong is said, with its exit code', async () => {
    const { beta } = await twoFolders('file:none')
    const wrong = [
      [['pull', 'Not An Org'], 2, 'USAGE'],
      [['pull', 'alpha', '--from', 'somewhere'], 2, 'USAGE'],
      [['pull', 'beta'], 2, 'USAGE'],
      [['pull', 'gamma'], 1, 'NOT_FOUND'],
      [['push', '--to', 'ftp://example.org/x'], 2, 'USAGE'],
      [['push', 'alpha', '--to'], 2, 'USAGE']
    ] as const
    for (const [args, exitCode, code] of wrong) {
      const failed = await runFailing(['pack', ...args, '--data', beta])
      expect([args.join(' '), failed.exitCode, failed.error.code]).toEqual([args.join(' '), exitCode, code])
    }
    const nothing = await run(['pack', 'push', 'alpha', '--data', beta])
    expect([nothing.code, nothing.stdout]).toEqual([1, expect.stringContaining('there is no pack of beta')])
    const help = await runWell(['pack', 'pull', '--help'])
    expect(help).toContain('anchormesh pack pull archive --from file:archive.packs')
  })
})
