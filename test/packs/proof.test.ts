import { describe, expect, test } from 'vitest'
import { checkTrustProof, listTrustAnchors } from '../../src/packs/trust-anchors.ts'
import { listSigners, publishAnchorPack, signAnchorPack } from '../../src/packs/library.ts'
import type { TrustProof } from '../../src/packs/pack-operations.ts'
import { ORG, firstPack, openMachines } from './organisation.ts'
import type { Machine } from './organisation.ts'

async function two(): Promise<readonly [Machine, Machine]> {
  const [a, b] = await openMachines(['a', 'b'])
  if (a === undefined || b === undefined) throw new Error('no machines')
  await firstPack([a, b])
  return [a, b]
}

describe('the proof of a key', () => {
  test('holds for every key of the last pack, full or delta', async () => {
    const [a, b] = await two()
    await a.node.addKey({})
    await publishAnchorPack(a.node, { delta: true })
    for (const { kid } of (await listSigners(a.node)).signers) {
      const proof = await a.node.trustProof({ kid })
      expect(proof).toMatchObject({ orgId: ORG, packSeq: 2, treeSize: 4, key: { kid } })
      expect(checkTrustProof(proof)).toEqual({ ok: true })
    }
    expect(checkTrustProof(await b.node.trustProof({ orgId: ORG, kid: b.self.signer.kid }))).toEqual({ ok: true })
  })

  test.each<[string, (proof: TrustProof, other: TrustProof) => TrustProof]>([
    ['another key', (proof, other) => ({ ...proof, key: other.key })],
    ['another status', (proof) => ({ ...proof, key: { ...proof.key, status: 'RETIRED' } })],
    ['another root', (proof) => ({ ...proof, root: 'a'.repeat(64) })],
    ['another pack hash', (proof) => ({ ...proof, packHash: 'a'.repeat(64) })],
    ['another organisation', (proof) => ({ ...proof, orgId: 'org-other' })],
    ['another threshold', (proof) => ({ ...proof, threshold: 7 })],
    ['no event', (proof) => ({ ...proof, event: 'AAAA' })]
  ])('does not hold with %s', async (_, change) => {
    const [a, b] = await two()
    const proofs = await Promise.all([a, b].map(async ({ self }) => await a.node.trustProof({ kid: self.signer.kid })))
    const [proof, other] = proofs
    if (proof === undefined || other === undefined) throw new Error('no proofs')
    expect(checkTrustProof(change(proof, other))).toMatchObject({ ok: false })
  })

  test('is refused for what is not there', async () => {
    const [a] = await two()
    await expect(a.node.trustProof({ kid: 'nobody' })).rejects.toMatchObject({ code: 'SIGNER_UNKNOWN' })
    await expect(a.node.trustProof({ kid: 'nobody', orgId: 'org-none' })).rejects.toMatchObject({
      code: 'PACK_UNKNOWN'
    })
  })
})

describe('for programs', () => {
  test('trust anchors are listed, of all or one organisation', async () => {
    const [a, b] = await two()
    const kids = [a, b].map(({ self }) => self.signer.kid).sort()
    expect((await listTrustAnchors(b.node)).map(({ kid }) => kid)).toEqual(kids)
    expect(await listTrustAnchors(b.node, { orgId: ORG })).toMatchObject(kids.map((kid) => ({ kid, status: 'ACTIVE' })))
    expect(await listTrustAnchors(b.node, { orgId: 'org-none' })).toEqual([])
  })

  test('a draft is signed', async () => {
    const [a, b] = await two()
    const { draft } = await a.node.draftPack({ with: [b.self.signer.kid] })
    expect(await signAnchorPack(b.node, draft)).toMatchObject({ missing: [] })
  })
})

test('a node that was given its configuration pins nothing by command', async () => {
  const [a] = await two()
  await expect(a.node.pinPack({ orgId: ORG, packSeq: 1, hash: 'a'.repeat(64) })).rejects.toMatchObject({
    code: 'PINS_NOT_KEPT'
  })
})
