import fc from 'fast-check'
import { afterEach, describe, expect, test } from 'vitest'
import type { TimestampAnchor } from '../../protocols/event/v1/announce.ts'
import { evidenceHashOf, evidenceIdOf } from '../../protocols/event/v1/announce.ts'
import { fromBase64url } from '../../protocols/primitives/bytes.ts'
import { sha256Hex } from '../../protocols/primitives/sha256.ts'
import type { Proof } from '../../protocols/proof/v1/proof.ts'
import { BlobStore } from '../../src/log/blob-store.ts'
import { openMemoryStore } from '../../src/log/level-store.ts'
import type { AnchormeshNode } from '../../src/node.ts'
import { next } from '../support/events.ts'
import { NAMESPACE, member } from '../support/identities.ts'
import { scriptedVerifier, unreachable, valid } from '../verification/support.ts'
import {
  ALICE,
  BATCH,
  READER,
  announce,
  changed,
  check,
  judged,
  openNodeOf,
  openProver,
  prove,
  report,
  sealed,
  stampOver,
  stampVerifier
} from './support.ts'

const opened: AnchormeshNode[] = []

afterEach(async () => {
  for (const node of opened.splice(0)) await node.close()
})

async function prover(...verifiers: Parameters<typeof openProver>): Promise<AnchormeshNode> {
  const node = await openProver(...verifiers)
  opened.push(node)
  return node
}

/** A node with a stamped batch of so many receipts, and the leaf hashes. */
async function stamped(count: number): Promise<{ node: AnchormeshNode; leaves: readonly string[]; root: string }> {
  const node = await prover()
  const batch = await sealed(node, count)
  await announce(node, [stampOver(batch.root)])
  await judged(node, 'rfc3161:stamp', 'verified')
  return { node, ...batch }
}

test('seal, announce with evidence, prove, check: each receipt of a batch of any size is proven', async () => {
  for (const count of [1, 2, 3, 5, 8, 300]) {
    const { node, leaves, root } = await stamped(count)
    for (const leafHash of new Set([leaves[0], leaves[Math.floor(count / 2)], leaves[count - 1]])) {
      const built = await prove(node, leafHash ?? '')
      expect(built).toMatchObject({ standing: 'proven', reason: 'verified', provenTime: 9_000, batchRoot: root })
      const found = await report(built.proof)
      expect(found).toMatchObject({ overall: 'proven', provenTime: 9_000, chainId: 'rfc3161:stamp', leafHash })
      expect(found.steps.filter(({ outcome }) => outcome !== 'ok')).toEqual([])
      expect(found.claims).toMatchObject({ standing: 'proven', by: ALICE.signer.did })
    }
  }
})

test('the rows of receipts say how they stand, from the seal to the proof, and at each position', async () => {
  const node = await prover()
  const { root } = await sealed(node, 2)
  const rows = async (at?: number) =>
    (await node.query('receipts', { namespace: NAMESPACE, ...(at === undefined ? {} : { at }) })).rows
  const atSeal = (await node.status()).log.logSeq
  expect(await rows()).toMatchObject([{ standing: 'unproven', standingReason: 'not-announced' }, {}])
  await announce(node, [stampOver(root)])
  await judged(node, 'rfc3161:stamp', 'verified')
  const now = (await node.status()).log.logSeq
  const page = await node.query('receipts', { namespace: NAMESPACE, waitFor: now })
  const proven = { standing: 'proven', standingReason: 'verified', provenTime: 9_000, provenBy: 'rfc3161:stamp' }
  expect(page.rows).toMatchObject([proven, proven])
  expect(await rows(atSeal)).toMatchObject([{ standing: 'unproven', standingReason: 'not-announced' }, {}])
})

describe('what is not verified is never proven', () => {
  test('a batch without a timestamp anchor, announced or not', async () => {
    const node = await prover()
    const { leaves } = await sealed(node, 2)
    const sealedOnly = await prove(node, leaves[0] ?? '')
    expect(sealedOnly).toMatchObject({ standing: 'unproven', reason: 'not-announced' })
    expect(await report(sealedOnly.proof)).toMatchObject({ overall: 'undecided', ownerDid: null })
    await announce(node, [])
    const announcedOnly = await prove(node, leaves[0] ?? '')
    expect(announcedOnly).toMatchObject({ standing: 'unproven', reason: 'no-timestamp-anchor' })
    expect(await report(announcedOnly.proof)).toMatchObject({ overall: 'undecided', ownerDid: ALICE.signer.did })
  })

  test('a stamp over another root: it stays out of the file', async () => {
    const node = await prover()
    const { leaves } = await sealed(node, 2)
    await announce(node, [stampOver('00'.repeat(32))])
    await judged(node, 'rfc3161:stamp', 'invalid')
    const built = await prove(node, leaves[1] ?? '')
    expect(built).toMatchObject({ standing: 'unproven', reason: 'invalid' })
    expect((JSON.parse(built.proof) as Proof).timestampAnchors).toEqual([])
    expect((await report(built.proof)).overall).toBe('undecided')
  })

  test('evidence that could not be reached, and that nobody offline can check, is in the file as undecided', async () => {
    const verifier = scriptedVerifier()
    verifier.script('eip155:1', unreachable)
    const node = await prover([verifier])
    const { leaves } = await sealed(node, 2)
    await announce(node, [{ chainId: 'eip155:1', txHash: 'e'.repeat(64), blockNumber: 9, carriedIn: 'calldata' }])
    await judged(node, 'eip155:1', 'unreachable')
    const built = await prove(node, leaves[0] ?? '')
    expect(built).toMatchObject({ standing: 'unproven', reason: 'unreachable' })
    const found = await report(built.proof)
    expect(found.overall).toBe('undecided')
    expect(found.steps.at(-1)).toMatchObject({ outcome: 'undecided', code: 'CHAIN_UNCHECKED' })
  })

  test('evidence that its writer verified on a chain is undecided for who can not ask that chain', async () => {
    const verifier = scriptedVerifier()
    verifier.script('eip155:1', valid(9, 5_000))
    const node = await prover([verifier])
    const { leaves } = await sealed(node, 1)
    await announce(node, [{ chainId: 'eip155:1', txHash: 'e'.repeat(64), blockNumber: 9, carriedIn: 'calldata' }])
    await judged(node, 'eip155:1', 'verified')
    const built = await prove(node, leaves[0] ?? '')
    expect(built).toMatchObject({ standing: 'proven', chainId: 'eip155:1' })
    const proof = JSON.parse(built.proof) as Proof
    expect(proof.timestampAnchors[0]?.supplement?.seen).toContain('"seen":true')
    expect(await report(built.proof)).toMatchObject({ overall: 'undecided', provenTime: null })
  })

  test('a reader whose policy accepts no evidence on the chain, or who has no roots', async () => {
    const { node, leaves } = await stamped(2)
    const { proof } = await prove(node, leaves[0] ?? '')
    const refusing = await report(proof, { ...READER, finality: () => null })
    expect(refusing).toMatchObject({ overall: 'undecided', provenTime: null })
    expect(refusing.steps.at(-1)).toMatchObject({ code: 'REFUSED_BY_POLICY' })
    const rootless = await report(proof, { ...READER, verifiers: [] })
    expect(rootless.steps.at(-1)).toMatchObject({ outcome: 'undecided', code: 'ROOTS_MISSING' })
    expect(rootless.overall).toBe('undecided')
  })

  test('a reader’s verifier that fails', async () => {
    const { node, leaves } = await stamped(2)
    const { proof } = await prove(node, leaves[0] ?? '')
    const broken = { ...stampVerifier, verify: () => Promise.reject(new Error('out of order')) }
    const found = await report(proof, { ...READER, verifiers: [broken] })
    expect(found.steps.at(-1)).toMatchObject({ outcome: 'undecided', code: 'VERIFIER_FAILED' })
    expect(found.overall).toBe('undecided')
  })
})

test('with another timestamp anchor undecided, the one that is verified proves', async () => {
  const { node, leaves } = await stamped(1)
  const { proof } = await prove(node, leaves[0] ?? '')
  expect((JSON.parse(proof) as Proof).timestampAnchors).toHaveLength(1)
  await announce(node, [{ chainId: 'eip155:1', txHash: 'e'.repeat(64), blockNumber: 9, carriedIn: 'calldata' }])
  const built = await prove(node, leaves[0] ?? '')
  expect((JSON.parse(built.proof) as Proof).timestampAnchors).toHaveLength(1)
  expect((await report(built.proof)).overall).toBe('proven')
})

describe('a proof that was changed', () => {
  test.each([
    [
      'record',
      'the record',
      (proof: Proof) => ({ receipt: { ...proof.receipt, record: proof.receipt.record.replace('1', '2') } })
    ],
    ['record', 'the leaf hash', (proof: Proof) => ({ receipt: { ...proof.receipt, leafHash: '11'.repeat(32) } })],
    ['inclusion', 'the index', (proof: Proof) => ({ receipt: { ...proof.receipt, index: 2 } })],
    [
      'inclusion',
      'a path short by one',
      (proof: Proof) => ({ receipt: { ...proof.receipt, path: proof.receipt.path.slice(1) } })
    ],
    ['inclusion', 'the root', () => ({ batchRoot: '22'.repeat(32) })],
    ['owner', 'the number of leaves', (proof: Proof) => ({ receipt: { ...proof.receipt, treeSize: 6 } })],
    ['announcement', 'the owner', () => ({ owner: 'org-b' })],
    ['announcement', 'the batch', () => ({ batchId: 'b-2' })],
    ['announcement', 'the namespace', () => ({ namespace: 'dao:other' })],
    ['owner', 'who announced', () => ({ ownerDid: member('berta').signer.did })],
    ['timestamp-anchor', 'the stamp', () => ({ timestampAnchors: [{ timestampAnchor: stampOver('33'.repeat(32)) }] })],
    ['attestation', 'an announcement as attestation', (proof: Proof) => ({ attestations: proof.announcements })]
  ] as const)('%s fails: %s', async (step, _what, change) => {
    const { node, leaves } = await stamped(5)
    const { proof } = await prove(node, leaves[1] ?? '')
    const found = await report(changed(proof, change))
    expect(found.steps.filter(({ outcome }) => outcome === 'failed').map((one) => one.step)).toContain(step)
    expect(found).toMatchObject({ overall: 'failed', provenTime: null })
  })

  test('any single character of what is proof, changed to any other: refused, or not proven', async () => {
    const { node, leaves } = await stamped(5)
    const { claims: _claims, ...proof } = JSON.parse((await prove(node, leaves[1] ?? '')).proof) as Proof
    const text = JSON.stringify(proof)
    expect((await report(text)).overall).toBe('proven')
    const alphabet = 'abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_"{}[],:. '
    await fc.assert(
      fc.asyncProperty(fc.nat(text.length - 1), fc.nat(alphabet.length - 1), async (at, pick) => {
        const character = alphabet[pick] ?? ' '
        fc.pre(text[at] !== character)
        const checked = await check(text.slice(0, at) + character + text.slice(at + 1))
        expect(checked.ok ? checked.report.overall : 'refused').not.toBe('proven')
      }),
      { numRuns: 1_500 }
    )
  })

  test('what its writer says changes nothing', async () => {
    const { node, leaves } = await stamped(2)
    const { proof } = await prove(node, leaves[0] ?? '')
    const lying = changed(proof, ({ claims }) => ({
      claims: { ...claims, standing: 'proven', reason: 'settled' },
      timestampAnchors: []
    }))
    expect((await report(lying)).overall).toBe('undecided')
    const modest = changed(proof, ({ claims }) => ({ claims: { ...claims, standing: 'unproven', reason: 'invalid' } }))
    expect((await report(modest)).overall).toBe('proven')
  })
})

test('a reader who knows the DIDs of the owner takes no other for it', async () => {
  const { node, leaves } = await stamped(2)
  const { proof } = await prove(node, leaves[0] ?? '')
  const { did } = ALICE.signer
  const knowing = (org: string) => ({ ...READER, orgOf: (asked: string) => (asked === did ? org : undefined) })
  expect((await report(proof, knowing('org-a'))).overall).toBe('proven')
  const other = await report(proof, knowing('org-b'))
  expect(other.steps.find(({ step }) => step === 'owner')).toMatchObject({ outcome: 'failed', code: 'OWNER' })
  expect(other.overall).toBe('failed')
})

describe('what can not be proven', () => {
  test('a receipt that is not here, and one that was forgotten', async () => {
    const { node, leaves } = await stamped(3)
    await expect(prove(node, '44'.repeat(32))).rejects.toMatchObject({ code: 'RECEIPT_UNKNOWN' })
    const elsewhere = node.proof({ namespace: NAMESPACE, batchId: 'b-2', leafHash: leaves[0] ?? '' })
    await expect(elsewhere).rejects.toMatchObject({ code: 'RECEIPT_UNKNOWN' })
    await node.forget({ receipt: leaves[0] ?? '', reason: 'asked for' })
    await expect(prove(node, leaves[0] ?? '')).rejects.toThrow(/erased: this node was told to forget it/)
    expect((await report((await prove(node, leaves[1] ?? '')).proof)).overall).toBe('proven')
  })
})

test('evidence that another member added is in the file with the event that announced it', async () => {
  const berta = member('berta', 'org-b')
  const node = await openNodeOf(ALICE, [ALICE, berta], [stampVerifier])
  opened.push(node)
  const { root, leaves } = await sealed(node, 2)
  await announce(node, [])
  const body = { owner: 'org-a', batchId: BATCH, batchRoot: root, receiptCount: 2, timestampAnchors: [stampOver(root)] }
  const added = await next(berta, null, body, { ts: 1 })
  expect(await node.submit(added.wire)).toMatchObject({ outcome: 'accepted' })
  await judged(node, 'rfc3161:stamp', 'verified')
  const built = await prove(node, leaves[0] ?? '')
  expect((JSON.parse(built.proof) as Proof).announcements).toHaveLength(2)
  expect(await report(built.proof)).toMatchObject({ overall: 'proven', ownerDid: ALICE.signer.did })
})

test('what another member attests of the evidence is in the file, and shown', async () => {
  const berta = member('berta', 'org-b')
  const node = await openNodeOf(ALICE, [ALICE, berta], [stampVerifier])
  opened.push(node)
  const { root, leaves } = await sealed(node, 2)
  const anchor = stampOver(root) as unknown as TimestampAnchor
  await announce(node, [stampOver(root)])
  await judged(node, 'rfc3161:stamp', 'verified')
  const about = { owner: 'org-a', batchId: BATCH, batchRoot: root, chainId: anchor.chainId }
  const evidence = { evidenceId: evidenceIdOf(anchor), evidenceHash: evidenceHashOf(anchor) }
  const body = { ...about, ...evidence, outcome: 'verified', position: 9_000, provenTime: 9_000 }
  const attested = await next(berta, null, body, { type: 'attestation', ts: 1 })
  expect(await node.submit(attested.wire)).toMatchObject({ outcome: 'accepted' })
  const built = await prove(node, leaves[0] ?? '')
  const found = await report(built.proof)
  expect(found.overall).toBe('proven')
  expect(found.steps.filter(({ step }) => step === 'attestation')).toMatchObject([
    { subject: attested.id, outcome: 'ok', detail: expect.stringContaining(berta.signer.did) as string }
  ])
})

test('evidence that was announced by its hash is in the file with its bytes, where they are here', async () => {
  const blobs = await openMemoryStore()
  const node = await openNodeOf(ALICE, [ALICE], [stampVerifier], blobs)
  opened.push(node)
  const { root, leaves } = await sealed(node, 2)
  const token = fromBase64url(stampOver(root)['token'] as string) ?? new Uint8Array()
  const hash = sha256Hex(token)
  await announce(node, [{ chainId: 'rfc3161:stamp', token: { blob: hash } }])
  await judged(node, 'rfc3161:stamp', 'unreachable')
  const without = await report((await prove(node, leaves[0] ?? '')).proof)
  expect(without.steps.at(-1)).toMatchObject({ outcome: 'undecided', code: 'EVIDENCE_MISSING' })
  expect(without.overall).toBe('undecided')
  await new BlobStore(blobs).put([{ hash, bytes: token }], { sync: false })
  const built = await prove(node, leaves[0] ?? '')
  // The node has not looked again yet; who reads the file has all that is needed.
  expect(built).toMatchObject({ standing: 'unproven', reason: 'unreachable' })
  expect(await report(built.proof)).toMatchObject({ overall: 'proven', provenTime: 9_000 })
})
