import { expect, test } from 'vitest'
import type { PackPin } from '../../src/packs/pack-operations.ts'
import { keyOf, firstPack, openMachines, raiseThreshold, share, statuses, ORG } from './organisation.ts'
import type { Machine } from './organisation.ts'
import { member } from '../support/identities.ts'

const kidOf = ({ self }: Machine): string => self.signer.kid

async function pin({ node, self, policy }: Machine, { packSeq, hash }: Omit<PackPin, 'orgId'>): Promise<void> {
  const organisations = [{ orgId: ORG, threshold: 1, pins: [{ packSeq, hash }] }]
  await node.reload({ config: { policy: { ...policy, organisations }, signer: self.signer, version: 'test' } })
}

test('an organisation that lost its threshold goes on from a pack that operators pin', async () => {
  const [a, b, c] = await openMachines(['a', 'b', 'c'])
  if (a === undefined || b === undefined || c === undefined) throw new Error('no machines')
  await firstPack([a, b, c])
  await raiseThreshold(a, b, c)
  for (const lost of [b, c]) await a.node.revokeKey({ kid: kidOf(lost), reason: 'lost', lastGood: 'all' })
  await a.node.addKey(keyOf(member('new')))
  const request = { recover: true, threshold: 1 }
  await expect(a.node.draftPack({ threshold: 1 })).rejects.toMatchObject({ detail: { code: 'PACK_THRESHOLD' } })
  await expect(a.node.publishPack(request)).rejects.toMatchObject({ detail: { code: 'PACK_THRESHOLD' } })
  const { draft, missing, packSeq, packHash: hash } = await a.node.draftPack(request)
  expect(missing).toEqual([])
  // Nobody takes it without the pin, and nothing has changed.
  await expect(a.node.completePack(draft)).rejects.toMatchObject({ detail: { code: 'PACK_THRESHOLD' } })
  expect((await statuses(a))[kidOf(b)]).toBe('ACTIVE')
  await pin(a, { packSeq, hash })
  expect(await a.node.completePack(draft)).toMatchObject({ packSeq, packHash: hash })
  await share(a, b, c)
  expect((await statuses(b))[kidOf(c)]).toBe('ACTIVE')
  await pin(b, { packSeq, hash })
  for (const machine of [a, b]) {
    expect(await statuses(machine)).toMatchObject({
      [kidOf(a)]: 'ACTIVE',
      [kidOf(b)]: 'REVOKED',
      [kidOf(c)]: 'REVOKED'
    })
  }
  // The next one needs no pin.
  expect(await a.node.publishPack()).toMatchObject({ packSeq: packSeq + 1 })
})
