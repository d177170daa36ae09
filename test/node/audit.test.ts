import { expect, test } from 'vitest'
import type { AuditRecord } from '../../src/audit/operations.ts'
import type { AnchormeshNode } from '../../src/node.ts'
import { AUDIT_PREFIX } from '../../src/log/keys.ts'
import { prefixRange } from '../../src/log/store.ts'
import { announceBody, next } from '../support/events.ts'
import { NAMESPACE, policyOf } from '../support/identities.ts'
import { settled } from '../support/settled.ts'
import { ADAM, ALICE, BERTA } from '../projections/support/world.ts'
import { openSyncMesh } from '../sync/mesh.ts'
import type { MemoryNode } from './nodes.ts'
import { openNode, peerIdOf, quiet, reopen } from './nodes.ts'

const members = [ALICE, ADAM, BERTA]

async function auditOf(node: AnchormeshNode, action?: string): Promise<AuditRecord[]> {
  return await Array.fromAsync(node.audit(action === undefined ? {} : { action }))
}

test('each policy that comes into force has a record with the keys that differ', async () => {
  const opened = await openNode(ALICE, members)
  const again = await reopen(opened, { policy: policyOf(ALICE, [ALICE, ADAM]) })
  const same = await reopen(again)
  const [first, second, ...others] = await auditOf(same.node, 'POLICY_CHANGED')
  expect(others).toEqual([])
  expect(first).toMatchObject({ actor: 'operator', outcome: 'ok', detail: { first: true, logSeq: 1 } })
  expect(second).toMatchObject({ detail: { first: false } })
  expect(second?.detail['keys']).toContain('peers')
  expect(String(second?.detail['keys'])).not.toContain('orgId')
  expect(await same.node.verifyAudit()).toMatchObject({ ok: true })
})

test('a policy whose record was not written before the process ended is recorded at the next start', async () => {
  const opened = await openNode(ALICE, members)
  await opened.node.close()
  const { store } = opened.ports
  await store.reopen()
  const keys: string[] = []
  for await (const [key] of store.range(prefixRange(AUDIT_PREFIX))) keys.push(key)
  await store.write(
    keys.map((key) => ({ type: 'del', key })),
    { sync: true }
  )
  await store.close()
  const again = await reopen(opened)
  expect(await auditOf(again.node)).toMatchObject([{ seq: 1, action: 'POLICY_CHANGED', detail: { logSeq: 1 } }])
})

test('what is refused at the door is one record for each peer, code and minute', async () => {
  const opened = await openNode(ALICE, members)
  const { node, ports } = opened
  for (let index = 0; index < 5; index += 1) await node.submit(Buffer.from(`garbage ${index}`))
  await node.submit(new Uint8Array(50_000))
  await quiet(opened)
  await ports.clock.advance(61_000)
  await node.submit(Buffer.from('garbage'))
  await settled()
  const refused = await auditOf(node, 'EVENTS_REFUSED')
  expect(refused.map(({ code, subject, detail }) => [code, subject, detail['count']])).toEqual([
    ['MALFORMED', 'import', 5],
    ['EVENT_TOO_LARGE', 'import', 1]
  ])
  // The rest of a minute is recorded at the end.
  const again = await reopen(opened)
  expect(await auditOf(again.node, 'EVENTS_REFUSED')).toHaveLength(3)
})

test('an event that is accepted is its own record, and has none here', async () => {
  const { node } = await openNode(ALICE, members)
  const before = (await auditOf(node)).length
  await node.submit((await next(BERTA, null, announceBody('b1'))).wire)
  expect(await auditOf(node)).toHaveLength(before)
})

test('sync sessions have records on both sides', async () => {
  const mesh = await openSyncMesh([ALICE, BERTA])
  const [alice, berta] = mesh.nodes as [MemoryNode, MemoryNode]
  await mesh.pass(1_000)
  mesh.cut(ALICE, BERTA)
  await alice.node.submit((await next(BERTA, null, announceBody('b1'))).wire)
  await mesh.hub.drain()
  mesh.heal(ALICE, BERTA)
  // Sessions that a peer has opened are counted for a minute.
  await mesh.pass(70_000)
  const records = [...(await auditOf(alice.node, 'SYNC_SESSION')), ...(await auditOf(berta.node, 'SYNC_SESSION'))]
  expect(records.map(({ actor }) => actor)).toContain(peerIdOf(ALICE))
  expect(records.map(({ actor }) => actor)).toContain(peerIdOf(BERTA))
  const moved = records.filter(({ detail }) => detail['sent'] === 1 || detail['received'] === 1)
  expect(moved.length).toBeGreaterThan(0)
  for (const { subject, outcome, code, detail } of moved) {
    expect([subject, outcome, code, detail['end']]).toEqual([NAMESPACE, 'ok', null, 'synced'])
  }
  expect(new Set(records.map(({ detail }) => detail['role']))).toEqual(new Set(['initiator', 'responder']))
})

test('a receipt that is erased has a record with the reason', async () => {
  const { node } = await openNode(ALICE, members)
  await node.seal({ namespace: NAMESPACE, batchId: 'b1', receipts: [{ invoice: 1 }] })
  const [proof] = await Array.fromAsync(node.proofs(NAMESPACE, 'b1'))
  const receipt = proof?.leafHash ?? ''
  await node.forget({ receipt, reason: 'asked for' })
  expect(await auditOf(node, 'RECEIPT_FORGOTTEN')).toMatchObject([
    { actor: 'operator', subject: receipt, outcome: 'ok', detail: { reason: 'asked for' } }
  ])
})
