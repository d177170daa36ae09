import { describe, expect, test } from 'vitest'
import { makeDraft, readDraft } from '../../src/packs/pack-draft.ts'
import type { PackDraft } from '../../src/packs/pack-operations.ts'
import { packHash, packRoot } from '../../protocols/event/v1/anchor-pack.ts'
import type { AnchorPack, PackKey } from '../../protocols/event/v1/anchor-pack.ts'
import { canonicalEvent, eventSigningInput } from '../../protocols/event/v1/codec.ts'
import type { Envelope } from '../../protocols/event/v1/envelope.ts'
import { fromBase64url, toBase64url } from '../../protocols/primitives/bytes.ts'
import type { Signer } from '../../src/trust/signer.ts'
import { NAMESPACE, member } from '../support/identities.ts'
import { ORG, firstPack, keyOf, openMachines, raiseThreshold, share, statuses } from './organisation.ts'
import type { Machine } from './organisation.ts'

/** Three machines of an organisation in which two must sign, all with the same packs. */
async function three(): Promise<readonly [Machine, Machine, Machine]> {
  const [a, b, c] = await openMachines(['a', 'b', 'c'])
  if (a === undefined || b === undefined || c === undefined) throw new Error('no machines')
  await firstPack([a, b, c])
  await raiseThreshold(a, b, c)
  return [a, b, c]
}

const kidOf = ({ self }: Machine): string => self.signer.kid
const refusedWith = (code: string): object => ({ code: 'PUBLISH_REFUSED', detail: { code } })

describe('a pack that two of three sign', () => {
  test('waits as a draft, is signed by another machine, and is completed by either', async () => {
    const [a, b, c] = await three()
    const waits = expect.stringMatching(/^a draft of a pack waits for signatures/) as string
    for (const completing of [a, b]) {
      const other = keyOf(member(`guest of ${kidOf(completing)}`))
      await a.node.addKey(other)
      await expect(a.node.publishPack()).rejects.toMatchObject(refusedWith('PACK_THRESHOLD'))
      const drafted = await a.node.draftPack({ with: [kidOf(b)] })
      expect(drafted.missing).toEqual([kidOf(b)])
      expect((await a.node.signers()).draft).toMatchObject({ missing: [kidOf(b)] })
      expect((await a.node.status()).warnings).toContainEqual(waits)
      await expect(a.node.completePack(drafted.draft)).rejects.toMatchObject({
        code: 'PACK_SIGNATURES_MISSING',
        detail: { missing: [kidOf(b)] }
      })
      const signed = await b.node.signPack(drafted.draft)
      expect(signed).toMatchObject({ missing: [], packHash: drafted.packHash })
      const published = await completing.node.completePack(signed.draft)
      expect(published).toMatchObject({ packHash: drafted.packHash, packSeq: drafted.packSeq })
      await share(completing, a, b, c)
      for (const machine of [a, b, c]) {
        expect((await statuses(machine))[other.kid]).toBe('ACTIVE')
        expect((await machine.node.query('effects', {})).rows).toEqual([])
      }
      expect((await a.node.signers()).draft).toBeNull()
      expect((await a.node.status()).warnings).not.toContainEqual(waits)
    }
  })

  test('can be signed with what the completing machine holds, without signing first', async () => {
    const [a, b] = await three()
    const { draft } = await a.node.draftPack({ with: [kidOf(b)] })
    expect(await b.node.completePack(draft)).toMatchObject({ packSeq: 3 })
  })

  test('rotates, retires and revokes', async () => {
    const [a, b, c] = await three()
    const { added } = await a.node.rotateKey({})
    const signed = await b.node.signPack((await a.node.draftPack({ with: [kidOf(b)] })).draft)
    await a.node.completePack(signed.draft)
    await share(a, b, c)
    expect(await statuses(c)).toEqual({
      [kidOf(a)]: 'RETIRED',
      [added.kid]: 'ACTIVE',
      [kidOf(b)]: 'ACTIVE',
      [kidOf(c)]: 'ACTIVE'
    })
    expect((await a.registry.held()).signing).toBe(added.kid)
    await b.node.revokeKey({ kid: kidOf(c), reason: 'stolen', lastGood: 'none' })
    const second = await b.node.draftPack({ with: [added.kid] })
    await b.node.completePack((await a.node.signPack(second.draft)).draft)
    await share(b, a, c)
    for (const machine of [a, b, c]) expect((await statuses(machine))[kidOf(c)]).toBe('REVOKED')
    await expect(b.node.draftPack({ with: [kidOf(c)] })).rejects.toMatchObject(refusedWith('PACK_SIGNER_REVOKED'))
  })

  test('names who signs where there is a choice, and asks nobody where there is none', async () => {
    const [a, b, c] = await three()
    await expect(a.node.draftPack()).rejects.toMatchObject({
      code: 'PUBLISH_REFUSED',
      detail: { code: 'PACK_THRESHOLD', candidates: [kidOf(b), kidOf(c)].sort() }
    })
    const drafted = await a.node.draftPack({ threshold: 3 })
    expect(drafted.missing).toEqual([kidOf(b), kidOf(c)].sort())
    await expect(a.node.draftPack({ threshold: 9, discardDraft: true })).rejects.toMatchObject(
      refusedWith('PACK_THRESHOLD')
    )
    await expect(a.node.draftPack({ with: ['nobody'], discardDraft: true })).rejects.toMatchObject(
      refusedWith('PACK_SIGNER_FOREIGN')
    )
  })

  test('keeps its place: no other pack is made while it waits, unless it is given up', async () => {
    const [a, b, c] = await three()
    const drafted = await a.node.draftPack({ with: [kidOf(b)] })
    await expect(a.node.draftPack({ with: [kidOf(c)] })).rejects.toMatchObject({ code: 'PACK_DRAFT_PENDING' })
    await expect(a.node.publishPack()).rejects.toMatchObject({
      code: 'PACK_DRAFT_PENDING',
      detail: { packHash: drafted.packHash }
    })
    await expect(a.node.draftPack({ with: ['nobody'], discardDraft: true })).rejects.toMatchObject(
      refusedWith('PACK_SIGNER_FOREIGN')
    )
    // What was refused gave nothing up.
    expect((await a.node.signers()).draft).toMatchObject({ packHash: drafted.packHash })
    expect(await a.node.draftPack({ with: [kidOf(c)], discardDraft: true })).toMatchObject({ missing: [kidOf(c)] })
  })
})

describe('a draft is stale', () => {
  test('once another pack stands at its number', async () => {
    const [a, b, c] = await three()
    const { draft } = await a.node.draftPack({ with: [kidOf(b)] })
    const other = await c.node.draftPack({ with: [kidOf(b)], validDays: 7 })
    await b.node.completePack(other.draft)
    await share(b, a, c)
    await expect(b.node.signPack(draft)).rejects.toMatchObject({ code: 'PACK_DRAFT_STALE' })
    await expect(a.node.completePack(draft)).rejects.toMatchObject({ code: 'PACK_DRAFT_STALE' })
    // What waited for it is free.
    expect((await a.node.signers()).draft).toBeNull()
    expect(await a.node.draftPack({ with: [kidOf(b)] })).toMatchObject({ packSeq: 4 })
  })

  test('once it is published', async () => {
    const [a, b] = await three()
    const { draft } = await b.node.signPack((await a.node.draftPack({ with: [kidOf(b)] })).draft)
    await a.node.completePack(draft)
    await expect(a.node.completePack(draft)).rejects.toMatchObject({ code: 'PACK_DRAFT_STALE' })
  })

  test('once its author signed something else at its position', async () => {
    const [a, b] = await three()
    const read = readDraft((await a.node.draftPack({ with: [kidOf(b)] })).draft)
    const before = { ...read.envelope, authorSeq: 1, prev: null }
    const moved = await resign({ ...before }, [a.self.signer])
    await expect(b.node.signPack(moved)).rejects.toMatchObject({ code: 'PACK_DRAFT_STALE' })
  })

  test('once the key that it retires has signed more, which would be cut off', async () => {
    const [a, b] = await three()
    await a.node.rotateKey({})
    const signed = await b.node.signPack((await a.node.draftPack({ with: [kidOf(b)] })).draft)
    await a.node.seal({ namespace: NAMESPACE, batchId: 'late', receipts: [1] })
    await a.node.announce({ namespace: NAMESPACE, batchId: 'late', timestampAnchors: [] })
    await expect(a.node.completePack(signed.draft)).rejects.toMatchObject({ code: 'PACK_DRAFT_STALE' })
  })
})

/** The draft with another body, signed anew by `signers` as a thief with these keys would. */
async function altered(draft: PackDraft, change: (pack: AnchorPack) => AnchorPack, signers: readonly Signer[]) {
  const { envelope, pack } = readDraft(draft)
  return await resign({ ...envelope, body: change(pack) as unknown as Envelope['body'] }, signers)
}

async function resign(envelope: Envelope, signers: readonly Signer[]): Promise<PackDraft> {
  const canonical = canonicalEvent(envelope)
  const signatures = await Promise.all(
    signers.map(async (signer) => ({
      kid: signer.kid,
      signature: await signer.sign(eventSigningInput('anchor-pack', signer.kid, canonical))
    }))
  )
  return makeDraft(envelope, signatures)
}

const withKeys = (pack: AnchorPack, keys: readonly PackKey[]): AnchorPack => ({
  ...pack,
  keys,
  root: packRoot({ ...pack, keys })
})

describe('co-signing refuses', () => {
  type Case = (draft: PackDraft, machines: readonly [Machine, Machine, Machine]) => Promise<PackDraft> | PackDraft
  const cases: readonly [string, object, Case][] = [
    [
      'a number that is too high',
      refusedWith('PACK_GAP'),
      (draft, [a]) => altered(draft, (pack) => ({ ...pack, packSeq: 9 }), [a.self.signer])
    ],
    [
      'a number that is taken',
      { code: 'PACK_DRAFT_STALE' },
      (draft, [a]) => altered(draft, (pack) => ({ ...pack, packSeq: 2 }), [a.self.signer])
    ],
    [
      'another predecessor',
      refusedWith('PACK_PREV_MISMATCH'),
      (draft, [a]) => altered(draft, (pack) => ({ ...pack, prevPack: packHash(pack) }), [a.self.signer])
    ],
    [
      'a key that is left out',
      refusedWith('PACK_STATUS_BACKWARD'),
      (draft, [a, , c]) =>
        altered(
          draft,
          (pack) =>
            withKeys(
              pack,
              pack.keys.filter(({ kid }) => kid !== kidOf(c))
            ),
          [a.self.signer]
        )
    ],
    [
      'a kid that gets another key',
      refusedWith('BODY_INVALID'),
      (draft, [a, , c]) =>
        altered(
          draft,
          (pack) =>
            withKeys(
              pack,
              pack.keys.map((key) =>
                key.kid === kidOf(c) ? { ...key, publicKey: keyOf(member('thief')).publicKey } : key
              )
            ),
          [a.self.signer]
        )
    ],
    [
      'a root that is wrong',
      refusedWith('PACK_ROOT_MISMATCH'),
      (draft, [a]) => altered(draft, (pack) => ({ ...pack, root: 'a'.repeat(64) }), [a.self.signer])
    ],
    [
      'too few signers',
      refusedWith('PACK_THRESHOLD'),
      (draft, [a]) => altered(draft, (pack) => ({ ...pack, signingKids: [kidOf(a)] }), [a.self.signer])
    ],
    [
      'a signer of another organisation',
      refusedWith('PACK_SIGNER_FOREIGN'),
      (draft, [a]) =>
        altered(draft, (pack) => ({ ...pack, signingKids: [...pack.signingKids, 'zzz'] }), [a.self.signer])
    ],
    [
      'a pack of another organisation',
      refusedWith('PACK_SIGNER_FOREIGN'),
      (draft, [a]) => altered(draft, (pack) => ({ ...pack, orgId: 'org-other' }), [a.self.signer])
    ],
    [
      'a key of small order',
      refusedWith('KEY_WEAK'),
      (draft, [a]) =>
        altered(
          draft,
          (pack) =>
            withKeys(pack, [
              {
                kid: '0weak',
                publicKey: toBase64url(new Uint8Array(32)),
                status: 'ACTIVE',
                uses: ['event'],
                notBefore: 0
              },
              ...pack.keys
            ]),
          [a.self.signer]
        )
    ],
    [
      'bytes that were changed',
      { code: 'PACK_DRAFT_ALTERED' },
      (draft) => {
        const text = Buffer.from(fromBase64url(draft.event) ?? []).toString('utf8')
        return { ...draft, event: toBase64url(Buffer.from(text.replace('"threshold":2', '"threshold":1'))) }
      }
    ],
    [
      'bytes that were changed, with their id',
      { code: 'PACK_DRAFT_ALTERED' },
      (draft) => {
        const { envelope, pack } = readDraft(draft)
        const body = { ...pack, validUntil: pack.validUntil + 1 } as unknown as Envelope['body']
        return { ...makeDraft({ ...envelope, body }, []), signatures: draft.signatures }
      }
    ],
    [
      'bytes that were changed, with their id and without the signature that does not fit them any more',
      { code: 'PACK_DRAFT_INVALID' },
      (draft) => {
        const { envelope, pack } = readDraft(draft)
        const body = { ...pack, validUntil: pack.validUntil + 1 } as unknown as Envelope['body']
        return makeDraft({ ...envelope, body }, [])
      }
    ],
    [
      'a signature of somebody else',
      { code: 'PACK_DRAFT_ALTERED' },
      async (draft, [a]) => {
        const other = await resign(readDraft(draft).envelope, [{ ...member('thief').signer, kid: kidOf(a) }])
        return other
      }
    ],
    [
      'what is no pack',
      { code: 'PACK_DRAFT_INVALID' },
      (draft) => resign({ ...readDraft(draft).envelope, type: 'announce' }, [])
    ]
  ]

  test.each(cases)('%s', async (_, refusal, change) => {
    const machines = await three()
    const [a, b] = machines
    const { draft } = await a.node.draftPack({ with: [kidOf(b)] })
    const before = (await b.node.status()).log
    const changed = await change(draft, machines)
    await expect((async () => await b.node.signPack(changed))()).rejects.toMatchObject(refusal)
    await expect((async () => await b.node.completePack(changed))()).rejects.toMatchObject(refusal)
    expect((await b.node.status()).log).toEqual(before)
    // The true one still passes.
    expect(await b.node.completePack(draft)).toMatchObject({ packSeq: 3 })
  })

  test('a key that is not held here, and a second signature by one key', async () => {
    const [a, b, c] = await three()
    const { draft } = await a.node.draftPack({ with: [kidOf(b)] })
    await expect(c.node.signPack(draft)).rejects.toMatchObject({ code: 'KEY_NOT_HELD' })
    await expect(a.node.signPack(draft)).rejects.toMatchObject({ code: 'PACK_ALREADY_SIGNED' })
    const signed = await b.node.signPack(draft)
    await expect(b.node.signPack(signed.draft)).rejects.toMatchObject({ code: 'PACK_ALREADY_SIGNED' })
  })

  test('a key that was revoked', async () => {
    const [a, b, c] = await three()
    await a.node.revokeKey({ kid: kidOf(c), reason: 'stolen', lastGood: 'none' })
    const revoking = await b.node.completePack((await a.node.draftPack({ with: [kidOf(b)] })).draft)
    expect(revoking.packSeq).toBe(3)
    await share(b, a, c)
    const { draft } = await a.node.draftPack({ with: [kidOf(b)] })
    const signers = [kidOf(a), kidOf(b), kidOf(c)].sort()
    const forged = await altered(draft, (pack) => ({ ...pack, signingKids: signers }), [a.self.signer])
    await expect(c.node.signPack(forged)).rejects.toMatchObject(refusedWith('PACK_SIGNER_REVOKED'))
  })

  test('any draft while the packs are forked', async () => {
    const [a, b, c] = await three()
    const one = await b.node.signPack((await a.node.draftPack({ with: [kidOf(b)] })).draft)
    const other = await c.node.draftPack({ with: [kidOf(b)], validDays: 7 })
    const two = await b.node.signPack(other.draft, { discardDraft: true })
    await a.node.completePack(one.draft)
    await c.node.completePack(two.draft)
    await share(a, b, c)
    await share(c, b, a)
    await expect(a.node.draftPack({ with: [kidOf(b)] })).rejects.toMatchObject(refusedWith('PACK_FORK'))
    expect(await a.node.signers()).toMatchObject({ isFrozen: true, packSeq: 2 })
    expect(await a.node.packs({ packSeq: 3 })).toMatchObject([{ state: 'frozen' }, { state: 'frozen' }])
  })
})

describe('packs are shown', () => {
  test('with what they change, and who signs', async () => {
    const [a, b] = await three()
    const guest = keyOf(member('guest'))
    await a.node.addKey(guest)
    const drafted = await a.node.draftPack({ with: [kidOf(b)], delta: true })
    expect(await b.node.viewDraft(drafted.draft)).toMatchObject({
      orgId: ORG,
      packSeq: 3,
      state: 'draft',
      kind: 'delta',
      changes: [{ kid: guest.kid, before: null, after: 'ACTIVE' }],
      keys: [{ kid: guest.kid }]
    })
    await b.node.completePack(drafted.draft)
    const [view] = await b.node.packs({})
    expect(view).toMatchObject({ hash: drafted.packHash, state: 'valid', code: null, threshold: 2, isStale: false })
    expect(view?.keys).toHaveLength(4)
    expect(await b.node.packs({ orgId: ORG, packSeq: 2 })).toMatchObject([
      { packSeq: 2, thresholdBefore: 1, threshold: 2 }
    ])
    await expect(b.node.packs({ packSeq: 8 })).rejects.toMatchObject({ code: 'PACK_UNKNOWN' })
    await expect(b.node.packs({ orgId: 'org-none' })).rejects.toMatchObject({ code: 'PACK_UNKNOWN' })
  })
})

describe('two drafts of one number', () => {
  test('are not both signed by one machine, whoever made them, unless it gives one up', async () => {
    const [a, b, c] = await three()
    const first = await a.node.draftPack({ with: [kidOf(b)] })
    const second = await c.node.draftPack({ with: [kidOf(b)], validDays: 7 })
    const third = await c.node.draftPack({ with: [kidOf(a)], validDays: 8, discardDraft: true })
    const pending = { code: 'PACK_DRAFT_PENDING', detail: { packHash: first.packHash } }
    await expect(a.node.signPack(third.draft)).rejects.toMatchObject(pending)
    await expect(a.node.completePack(third.draft)).rejects.toMatchObject(pending)
    await b.node.signPack(first.draft)
    expect(await b.node.signPack(first.draft)).toMatchObject({ packHash: first.packHash })
    await expect(b.node.signPack(second.draft)).rejects.toMatchObject(pending)
    await expect(b.node.draftPack({ with: [kidOf(c)] })).rejects.toMatchObject(pending)
    expect(await b.node.signPack(second.draft, { discardDraft: true })).toMatchObject({ missing: [] })
    expect(await a.node.signPack(third.draft, { discardDraft: true })).toMatchObject({ missing: [] })
    // Its own is given up with that.
    expect((await a.node.signers()).draft).toBeNull()
  })

  test('of a number that is taken do not hold up the next', async () => {
    const [a, b, c] = await three()
    await b.node.signPack((await a.node.draftPack({ with: [kidOf(b)] })).draft)
    const other = await c.node.draftPack({ with: [kidOf(a)], validDays: 7 })
    await c.node.completePack((await a.node.signPack(other.draft, { discardDraft: true })).draft)
    await share(c, a, b)
    expect(await b.node.draftPack({ with: [kidOf(a)] })).toMatchObject({ packSeq: 4 })
  })
})
