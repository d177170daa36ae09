import { expect, test } from 'vitest'
import type { ProjectionPage, ProjectionQuery } from '../../src/operations.ts'
import { AnchormeshError } from '../../src/platform/errors.ts'
import { codeOf } from '../support/code-of.ts'
import { ADA, BEN, CLEO, DAN, MEMBERS, SELF, openWorld, tokenFor } from './world.ts'
import type { World } from './world.ts'

/** All pages of a query. */
async function rowsOf({ node }: World, name: string, query: ProjectionQuery = {}): Promise<ProjectionPage['rows']> {
  const page = await node.query(name, query)
  const rest =
    page.nextCursor === null ? [] : await rowsOf({ node } as World, name, { ...query, cursor: page.nextCursor })
  return [...page.rows, ...rest]
}

test('the audit log is asked as a projection is: filters, pages, cursors', async () => {
  const world = await openWorld()
  const { node, clock } = world
  for (let count = 0; count < 5; count += 1) {
    await tokenFor(node, ['a:one'])
    await clock.advance(1_000)
  }
  await node.auditTrail.flushed()
  const start = clock.now() - 5_000
  const all = await rowsOf(world, 'audit')
  expect(all.map(({ action }) => action)).toEqual([
    'POLICY_CHANGED',
    ...Array.from({ length: 5 }, () => 'TOKEN_CREATED')
  ])
  expect(await rowsOf(world, 'audit', { limit: 2 })).toEqual(all)
  const { epoch, log } = { epoch: (await node.status()).log.epoch, log: (await node.status()).log.logSeq }
  expect(await node.query('audit', { limit: 1 })).toMatchObject({ projection: 'audit', version: 1, epoch, logSeq: log })
  expect(await rowsOf(world, 'audit', { fromTs: start + 2_000, toTs: start + 3_000, limit: 1 })).toHaveLength(2)
  expect(await rowsOf(world, 'audit', { signer: 'operator', status: 'ok' })).toEqual(all)
  expect(await rowsOf(world, 'audit', { status: 'refused' })).toEqual([])
  expect(await rowsOf(world, 'audit', { namespace: 'b:one' })).toEqual([])
})

test('peers are listed with what they may do, and whether they are there', async () => {
  const world = await openWorld()
  const rows = await rowsOf(world, 'peers', { limit: 1 })
  const dids = MEMBERS.map(({ signer }) => signer.did).sort()
  expect(rows.map(({ did }) => did)).toEqual(dids)
  expect(await rowsOf(world, 'peers', { signer: BEN.signer.did })).toMatchObject([
    {
      orgId: 'org-ben',
      peerId: null,
      roles: ['announce', 'request', 'serve'],
      namespaces: ['_trust', 'a:one', 'a:two'].map((namespace) => ({ namespace, lastSync: null })),
      kids: [BEN.signer.kid],
      status: 'disconnected',
      isConnected: false,
      shutOut: false,
      addresses: []
    }
  ])
  expect(await rowsOf(world, 'peers', { signer: SELF.signer.did })).toEqual([])
  expect(await rowsOf(world, 'peers', { status: 'connected' })).toEqual([])
  const ofOne = await rowsOf(world, 'peers', { namespace: 'b:one' })
  expect(new Set(ofOne.map(({ orgId }) => orgId))).toEqual(new Set(['org-cleo', 'org-dan']))
})

test('a reader with limits sees the peers of its namespaces, without addresses', async () => {
  const { node } = await openWorld()
  const granting = await node.gateway.access.ofToken(await tokenFor(node, ['a:two']))
  if (!granting.ok) throw new Error(granting.code)
  const { rows } = await node.query('peers', {}, granting.grant.scope)
  expect(rows.map(({ did }) => did)).toEqual([BEN, CLEO].map(({ signer }) => signer.did).sort())
  for (const row of rows) {
    expect(row).toMatchObject({ namespaces: [{ namespace: 'a:two' }] })
    expect(Object.keys(row)).not.toContain('addresses')
  }
  expect(JSON.stringify(rows)).not.toContain(ADA.signer.did)
  expect(JSON.stringify(rows)).not.toContain(DAN.signer.did)
  // No route lets it get so far.
  await expect(node.query('audit', {}, granting.grant.scope)).rejects.toBeInstanceOf(AnchormeshError)
})

test('neither has a state of the past, or takes what it does not know', async () => {
  const { node } = await openWorld()
  const { nextCursor } = await node.query('peers', { limit: 1 })
  const asked: readonly (readonly [string, ProjectionQuery, string])[] = [
    ['audit', { at: 1 }, 'QUERY_INVALID'],
    ['peers', { at: 1 }, 'QUERY_INVALID'],
    ['peers', { waitFor: 1 }, 'QUERY_INVALID'],
    ['peers', { batchId: 'b' }, 'QUERY_INVALID'],
    ['peers', { fromTs: 1 }, 'QUERY_INVALID'],
    ['audit', { limit: 0 }, 'QUERY_INVALID'],
    ['audit', { limit: 501 }, 'QUERY_INVALID'],
    ['audit', { cursor: 'x' }, 'QUERY_INVALID'],
    ['audit', { cursor: nextCursor ?? '' }, 'CURSOR_FOREIGN'],
    ['peer', {}, 'UNKNOWN_PROJECTION']
  ]
  for (const [name, query, code] of asked)
    expect([name, query, await node.query(name, query).then(() => 'answered', codeOf)]).toEqual([name, query, code])
})
