import fc from 'fast-check'
import type { JsonObject } from '../../../protocols/canonical-json/v1/json.ts'
import type { AnchorPack, PackKey } from '../../../protocols/event/v1/anchor-pack.ts'
import { packHash, packRoot } from '../../../protocols/event/v1/anchor-pack.ts'
import { canonicalEvent, encodeEvent, eventId, eventSigningInput } from '../../../protocols/event/v1/codec.ts'
import type { Envelope } from '../../../protocols/event/v1/envelope.ts'
import { toBase64url } from '../../../protocols/primitives/bytes.ts'
import { sha256, sha256Hex } from '../../../protocols/primitives/sha256.ts'
import type { EvidenceIdentity } from '../../../src/timestamps/verdict.ts'
import { localSigner } from '../../../src/trust/local-signer.ts'
import type { Signer } from '../../../src/trust/signer.ts'
import type { SignedEvent } from '../../support/events.ts'
import type { TestMember } from '../../support/identities.ts'
import { NAMESPACE, member } from '../../support/identities.ts'
import { evidenceIn } from './evidence.ts'

/** The second namespace of these worlds. */
export const OTHER_NAMESPACE = 'dao:other'

/** Two of one organisation, one alone, and one that is a member everywhere but may announce nowhere. */
export const ALICE = member('alice', 'org-a')
export const ADAM = member('adam', 'org-a')
export const BERTA = member('berta', 'org-b')
export const CARL = member('carl', 'org-c')
export const EVERYBODY: readonly TestMember[] = [ALICE, ADAM, BERTA, CARL]

const ORGANISATIONS = ['org-a', 'org-b', 'org-c'] as const

const FIRST_TS = 1_700_000_000_000

/** What somebody does; numbers choose among what there is, whatever there is. */
export type Act =
  | {
      readonly act: 'announce'
      readonly author: number
      readonly back: number
      readonly namespace: number
      readonly batch: number
      readonly root: number
      readonly owner: 'unsaid' | 'own' | number
      readonly anchors: readonly { readonly rail: number; readonly evidence: number; readonly variant: number }[]
    }
  | {
      readonly act: 'odd'
      readonly author: number
      readonly back: number
      readonly namespace: number
      readonly what: number
    }
  | {
      readonly act: 'pack'
      readonly author: number
      readonly back: number
      readonly organisation: 'own' | number
      readonly parent: number
      readonly gap: boolean
      readonly change: 'none' | 'add' | 'retire' | 'revoke' | 'revive' | 'rekey' | 'no-events'
      /** The last good events of a key that is retired or revoked, by how far they stand before the end of its chains. */
      readonly good: 'none' | number
      readonly validFor: 'long' | number
      readonly kind: 'full' | 'delta'
      readonly threshold: number
      readonly cosigned: boolean
      readonly variant: number
      readonly wrongRoot: boolean
    }
  | { readonly act: 'repack'; readonly author: number; readonly back: number; readonly pick: number }
  | {
      readonly act: 'attest'
      readonly author: number
      readonly back: number
      /** Under its own kid, or under that of a pack. */
      readonly otherKey: boolean
      /** Which of the evidence that was announced so far; whose batch, where the announce does not say. */
      readonly pick: number
      readonly organisation: number
      readonly says: 'verified' | 'refuted'
      readonly position: number
    }
  | {
      readonly act: 'by-pack-key'
      readonly author: number
      readonly back: number
      readonly key: number
      readonly batch: number
    }

// Mostly the tip; a step or two back makes a fork.
const back = fc.oneof(
  { arbitrary: fc.constant(0), weight: 5 },
  { arbitrary: fc.integer({ min: 1, max: 3 }), weight: 1 }
)
const author = fc.nat(EVERYBODY.length - 1)
const namespace = fc.oneof({ arbitrary: fc.constant(0), weight: 4 }, { arbitrary: fc.constant(1), weight: 1 })

const announceAct: fc.Arbitrary<Act> = fc.record({
  act: fc.constant('announce' as const),
  author,
  back,
  namespace,
  batch: fc.nat(2),
  root: fc.nat(1),
  owner: fc.oneof(fc.constant('unsaid' as const), fc.constant('own' as const), fc.nat(ORGANISATIONS.length)),
  anchors: fc.array(fc.record({ rail: fc.nat(3), evidence: fc.nat(1), variant: fc.nat(1) }), { maxLength: 3 })
})

const oddAct: fc.Arbitrary<Act> = fc.record({
  act: fc.constant('odd' as const),
  author,
  back,
  namespace,
  what: fc.nat(6)
})

const packAct: fc.Arbitrary<Act> = fc.record({
  act: fc.constant('pack' as const),
  author,
  back,
  organisation: fc.oneof(
    { arbitrary: fc.constant('own' as const), weight: 4 },
    { arbitrary: fc.nat(ORGANISATIONS.length - 1), weight: 1 }
  ),
  parent: fc.oneof({ arbitrary: fc.constant(0), weight: 5 }, { arbitrary: fc.nat(4), weight: 1 }),
  gap: fc.oneof({ arbitrary: fc.constant(false), weight: 15 }, { arbitrary: fc.constant(true), weight: 1 }),
  change: fc.constantFrom(
    'none',
    'none',
    'add',
    'add',
    'retire',
    'retire',
    'revoke',
    'revoke',
    'revive',
    'rekey',
    'no-events'
  ),
  good: fc.oneof(
    { arbitrary: fc.constant('none' as const), weight: 1 },
    { arbitrary: fc.constant(0), weight: 2 },
    { arbitrary: fc.nat(3), weight: 2 }
  ),
  validFor: fc.oneof({ arbitrary: fc.constant('long' as const), weight: 3 }, { arbitrary: fc.nat(8), weight: 1 }),
  kind: fc.constantFrom('full', 'full', 'delta'),
  threshold: fc.oneof({ arbitrary: fc.constant(1), weight: 6 }, { arbitrary: fc.constant(2), weight: 1 }),
  cosigned: fc.boolean(),
  variant: fc.oneof({ arbitrary: fc.constant(0), weight: 3 }, { arbitrary: fc.constant(1), weight: 1 }),
  wrongRoot: fc.oneof({ arbitrary: fc.constant(false), weight: 24 }, { arbitrary: fc.constant(true), weight: 1 })
})

const repackAct: fc.Arbitrary<Act> = fc.record({ act: fc.constant('repack' as const), author, back, pick: fc.nat(10) })

const byPackKeyAct: fc.Arbitrary<Act> = fc.record({
  act: fc.constant('by-pack-key' as const),
  author,
  back,
  key: fc.nat(1),
  batch: fc.nat(2)
})

const attestAct: fc.Arbitrary<Act> = fc.record({
  act: fc.constant('attest' as const),
  author,
  back,
  otherKey: fc.oneof({ arbitrary: fc.constant(false), weight: 3 }, { arbitrary: fc.constant(true), weight: 1 }),
  pick: fc.nat(20),
  organisation: fc.nat(ORGANISATIONS.length - 1),
  says: fc.constantFrom('verified', 'verified', 'verified', 'refuted'),
  position: fc.oneof({ arbitrary: fc.constant(1), weight: 3 }, { arbitrary: fc.nat(3), weight: 1 })
})

/** Announces, attestations, events without effect, and anchor packs with all that can be wrong with them. */
export const someActs = (maxLength: number, { attestWeight = 4 } = {}): fc.Arbitrary<Act[]> =>
  fc.array(
    fc.oneof(
      { arbitrary: announceAct, weight: 6 },
      { arbitrary: attestAct, weight: attestWeight },
      { arbitrary: oddAct, weight: 1 },
      { arbitrary: packAct, weight: 5 },
      { arbitrary: repackAct, weight: 1 },
      { arbitrary: byPackKeyAct, weight: 1 }
    ),
    // fast-check keeps lists short unless it is told otherwise; forks of packs need some length.
    { maxLength, minLength: 1, size: 'max' }
  )

const UNANNOUNCED: EvidenceIdentity = {
  namespace: NAMESPACE,
  batchId: 'batch-0',
  chainId: 'btc:mainnet',
  evidenceId: sha256Hex('evidence of nobody'),
  owner: 'org-a',
  batchRoot: sha256Hex('root 0'),
  evidenceHash: sha256Hex('anchor of nobody')
}

/** The events of the acts, each after its predecessor; what happens to be the same event twice is there once. */
export async function eventsOf(acts: readonly Act[]): Promise<SignedEvent[]> {
  const world = new World()
  for (const act of acts) await world.carryOut(act)
  return world.events
}

interface KnownPack {
  readonly body: AnchorPack
  readonly hash: string
  readonly keys: ReadonlyMap<string, PackKey>
  readonly signers: readonly Signer[]
}

class World {
  readonly events: SignedEvent[] = []
  readonly #ids = new Set<string>()
  readonly #chains = new Map<string, SignedEvent[]>()
  readonly #packs = new Map<string, KnownPack[]>()

  async carryOut(act: Act): Promise<void> {
    const by = EVERYBODY[act.author] ?? ALICE
    switch (act.act) {
      case 'announce':
        return await this.#write([by.signer], act.back, namespaceOf(act.namespace), 'announce', announceBodyOf(act, by))
      case 'odd':
        return await this.#odd(act, by)
      case 'pack':
        return await this.#pack(act, by)
      case 'repack':
        return await this.#repack(act, by)
      case 'attest':
        return await this.#attest(act, by)
      case 'by-pack-key': {
        const signer = packKeySigner(by, act.key, 0)
        const body = {
          batchId: `batch-${act.batch}`,
          batchRoot: sha256Hex('root 0'),
          receiptCount: 1,
          timestampAnchors: []
        }
        return await this.#write([signer], act.back, NAMESPACE, 'announce', body)
      }
    }
  }

  /** Of what was announced before, or of what nobody has announced. */
  async #attest(act: Extract<Act, { act: 'attest' }>, by: TestMember): Promise<void> {
    const announced = this.events.flatMap((event) => evidenceIn(event, () => ORGANISATIONS[act.organisation]))
    const identity = announced[act.pick % Math.max(1, announced.length)] ?? UNANNOUNCED
    const { position } = act
    const finding = act.says === 'verified' ? { position, provenTime: 1_700_000_000_000 + position } : null
    const signer = act.otherKey ? packKeySigner(by, 0, 0) : by.signer
    await this.#write([signer], act.back, identity.namespace, 'attestation', attestationBody(identity, finding))
  }

  async #odd({ what, back: steps, namespace: index }: Extract<Act, { act: 'odd' }>, by: TestMember): Promise<void> {
    const odd: readonly [type: string, namespace: string, body: JsonObject][] = [
      ['later-type', namespaceOf(index), { says: 'a later release knows me' }],
      ['attestation', namespaceOf(index), { says: 'nothing' }],
      ['attestation', '_trust', { says: 'nothing' }],
      ['announce', namespaceOf(index), { batchId: 'batch-0' }],
      ['anchor-pack', '_trust', { orgId: by.orgId, signingKids: [by.signer.kid] }],
      [
        'announce',
        '_trust',
        { batchId: 'batch-0', batchRoot: sha256Hex('root 0'), receiptCount: 1, timestampAnchors: [] }
      ],
      ['anchor-pack', namespaceOf(index), { signingKids: [by.signer.kid] }]
    ]
    const [type, namespaceName, body] = odd[what] ?? odd[0] ?? ['later-type', NAMESPACE, {}]
    await this.#write([by.signer], steps, namespaceName, type, body)
  }

  async #pack(act: Extract<Act, { act: 'pack' }>, by: TestMember): Promise<void> {
    const orgId = act.organisation === 'own' ? by.orgId : (ORGANISATIONS[act.organisation] ?? by.orgId)
    const known = this.#packs.get(orgId) ?? []
    const parent = known[known.length - 1 - act.parent]
    const packSeq = (parent?.body.packSeq ?? 0) + (act.gap ? 2 : 1)
    const before = parent?.keys ?? new Map<string, PackKey>()
    const cosigner = act.cosigned
      ? (EVERYBODY.find((other) => other.orgId === orgId && other !== by)?.signer ?? packKeySigner(by, 0, 0))
      : undefined
    const signers = [by.signer, ...(cosigner === undefined ? [] : [cosigner])].toSorted((left, right) =>
      left.kid < right.kid ? -1 : 1
    )
    const changed = new Map(changedKeys(act, by, before, this.#lastGood(act.good)).map((key) => [key.kid, key]))
    for (const signer of signers)
      if (!before.has(signer.kid) && !changed.has(signer.kid)) changed.set(signer.kid, activeKey(signer))
    const keys = new Map([...before, ...changed])
    const listed = act.kind === 'delta' && packSeq > 1 ? changed : keys
    const threshold = act.threshold
    const body: AnchorPack = {
      orgId,
      packSeq,
      prevPack: packSeq === 1 ? null : (parent?.hash ?? sha256Hex('a pack that nobody made')),
      kind: listed === changed ? 'delta' : 'full',
      keys: [...listed.values()].toSorted((left, right) => (left.kid < right.kid ? -1 : 1)),
      threshold,
      validUntil: (act.validFor === 'long' ? 1_800_000_000_000 : FIRST_TS + act.validFor) + act.variant,
      root: act.wrongRoot ? sha256Hex('wrong') : packRoot({ orgId, threshold, keys: [...keys.values()] }),
      signingKids: signers.map(({ kid }) => kid)
    }
    this.#packs.set(orgId, [...known, { body, hash: packHash(body), keys, signers }])
    await this.#write(
      [by.signer, ...signers.filter((signer) => signer !== by.signer)],
      act.back,
      '_trust',
      'anchor-pack',
      body as unknown as JsonObject
    )
  }

  /** Of each chain of a key the event so far before its end. */
  #lastGood(steps: 'none' | number): (kid: string) => Pick<PackKey, 'lastGood'> {
    return (kid) => {
      if (steps === 'none') return {}
      const lastGood = [...this.#chains.values()].flatMap((chain) => {
        const event = chain.at(-1 - steps)
        if (event?.envelope.kid !== kid) return []
        const { signer, namespace: of, authorSeq } = event.envelope
        return [{ signer, kid, namespace: of, authorSeq, id: event.id }]
      })
      return { lastGood }
    }
  }

  /** The same pack once more, in an event of one of its signers. */
  async #repack({ author: index, back: steps, pick }: Extract<Act, { act: 'repack' }>, by: TestMember): Promise<void> {
    const all = [...this.#packs.values()].flat()
    const pack = all[pick % Math.max(1, all.length)]
    if (pack === undefined) return
    const first =
      pack.signers.find((signer) => signer.kid === by.signer.kid) ?? pack.signers[index % pack.signers.length]
    if (first === undefined) return
    await this.#write(
      [first, ...pack.signers.filter((signer) => signer !== first)],
      steps,
      '_trust',
      'anchor-pack',
      pack.body as unknown as JsonObject
    )
  }

  /** The first signer is the author. */
  async #write(
    [first, ...others]: readonly Signer[],
    steps: number,
    namespaceName: string,
    type: string,
    body: JsonObject
  ): Promise<void> {
    if (first === undefined) return
    const { did, kid } = first
    const name = `${did} ${kid} ${namespaceName}`
    const chain = this.#chains.get(name) ?? []
    const before = chain[chain.length - 1 - steps]
    const envelope: Envelope = {
      v: 1,
      type,
      namespace: namespaceName,
      signer: did,
      kid,
      authorSeq: (before?.envelope.authorSeq ?? 0) + 1,
      prev: before?.id ?? null,
      ts: (before?.envelope.ts ?? FIRST_TS) + 1,
      body
    }
    const event = await signedBy([first, ...others], envelope)
    if (this.#ids.has(event.id)) return
    this.#ids.add(event.id)
    this.events.push(event)
    this.#chains.set(name, [...chain, event])
  }
}

/** The body of an attestation: verified, at that position and time (milliseconds since 1970), or refuted. */
export function attestationBody(
  { namespace: _namespace, ...evidence }: EvidenceIdentity,
  verified: { readonly position: number; readonly provenTime: number } | null
): JsonObject {
  return verified === null
    ? { ...evidence, outcome: 'refuted', code: 'BTC_NOT_BEST_CHAIN' }
    : { ...evidence, outcome: 'verified', finality: { depth: 6 }, ...verified }
}

/** An envelope signed by several keys. */
export async function signedBy(signers: readonly Signer[], envelope: Envelope): Promise<SignedEvent> {
  const canonical = canonicalEvent(envelope)
  const sorted = signers.toSorted((left, right) => (left.kid < right.kid ? -1 : 1))
  const signatures = []
  for (const signer of sorted)
    signatures.push({
      kid: signer.kid,
      signature: await signer.sign(eventSigningInput(envelope.type, signer.kid, canonical))
    })
  return { id: eventId(canonical), envelope, wire: encodeEvent(envelope, signatures) }
}

/** A key that only a pack binds, for an event of the member; `version` tells apart two keys of one kid. */
export function packKeySigner(by: TestMember, index: number, version: number): Signer {
  return localSigner(sha256(`pack key ${by.orgId} ${index} ${version}`), {
    did: by.signer.did,
    kid: `key-${by.orgId}-${index}`
  })
}

export function activeKey({ kid, publicKey }: Pick<Signer, 'kid' | 'publicKey'>): PackKey {
  return {
    kid,
    publicKey: toBase64url(publicKey),
    status: 'ACTIVE',
    uses: ['event', 'pack'],
    notBefore: 1_700_000_000_000
  }
}

/** The body of a pack 1 of `keys`. */
export function packBodyOf(pack: {
  orgId: string
  keys: readonly PackKey[]
  threshold?: number
  signers: readonly Signer[]
}): JsonObject {
  const { orgId, threshold = 1 } = pack
  const keys = pack.keys.toSorted((left, right) => (left.kid < right.kid ? -1 : 1))
  const body: AnchorPack = {
    orgId,
    packSeq: 1,
    prevPack: null,
    kind: 'full',
    keys,
    threshold,
    validUntil: 1_800_000_000_000,
    root: packRoot({ orgId, threshold, keys }),
    signingKids: pack.signers.map(({ kid }) => kid).sort()
  }
  return body as unknown as JsonObject
}

function changedKeys(
  { change }: Extract<Act, { act: 'pack' }>,
  by: TestMember,
  before: ReadonlyMap<string, PackKey>,
  lastGoodOf: (kid: string) => Pick<PackKey, 'lastGood'>
): PackKey[] {
  const known = [...before.values()].filter(({ kid }) => kid !== by.signer.kid)
  const last = known.at(-1)
  if (change === 'add') return [activeKey(packKeySigner(by, known.length % 2, 0))]
  if (last === undefined) return []
  const { kid, publicKey, uses, notBefore } = last
  const bare = { kid, publicKey, uses, notBefore }
  if (change === 'retire') return [{ ...bare, ...lastGoodOf(kid), status: 'RETIRED', retiredAt: 1_710_000_000_000 }]
  if (change === 'revoke')
    return [{ ...bare, ...lastGoodOf(kid), status: 'REVOKED', revokedAt: 1_710_000_000_000, reason: 'lost' }]
  if (change === 'no-events') return [{ ...last, uses: ['pack'] }]
  if (change === 'revive') return [{ ...bare, status: 'ACTIVE' }]
  if (change === 'rekey')
    return [{ ...bare, status: 'ACTIVE', publicKey: toBase64url(packKeySigner(by, 9, 9).publicKey) }]
  return []
}

function announceBodyOf(
  { batch, root, owner, anchors }: Extract<Act, { act: 'announce' }>,
  by: TestMember
): JsonObject {
  const named = owner === 'unsaid' ? undefined : owner === 'own' ? by.orgId : (ORGANISATIONS[owner] ?? 'org-nobody')
  return {
    ...(named === undefined ? {} : { owner: named }),
    batchId: `batch-${batch}`,
    batchRoot: sha256Hex(`root ${root}`),
    receiptCount: 1 + root,
    timestampAnchors: anchors.map(timestampAnchorOf)
  }
}

/** Two of one rail and evidence share the evidence id; the variant makes their content differ. */
function timestampAnchorOf({
  rail,
  evidence,
  variant
}: {
  rail: number
  evidence: number
  variant: number
}): JsonObject {
  const hash = sha256Hex(`evidence ${evidence}`)
  switch (rail) {
    case 0:
      return { chainId: 'eip155:1', txHash: hash, blockNumber: 100 + variant, carriedIn: 'calldata' }
    case 1:
      return {
        chainId: 'btc:mainnet',
        txid: hash,
        blockHash: sha256Hex('block'),
        blockHeight: 7 + variant,
        otsProof: { blob: hash }
      }
    case 2:
      return { chainId: `rfc3161:tsa-${variant}`, token: Buffer.from(`token ${evidence}`).toString('base64url') }
    default:
      return { chainId: 'rfc3161:tsa-0', token: { blob: sha256Hex(`token ${evidence}`) } }
  }
}

const namespaceOf = (index: number): string => (index === 0 ? NAMESPACE : OTHER_NAMESPACE)
