import { canonicalEvent, encodeEvent, eventId, eventSigningInput } from '../../protocols/event/v1/codec.ts'
import type { Envelope } from '../../protocols/event/v1/envelope.ts'
import type { AnchorPack, PackKey } from '../../protocols/event/v1/anchor-pack.ts'
import { packHash, packRoot } from '../../protocols/event/v1/anchor-pack.ts'
import { toBase64url } from '../../protocols/primitives/bytes.ts'
import type { Signer } from '../../src/trust/signer.ts'
import type { ReceivedPack } from './pack-walk.ts'
import type { SignedEvent } from './events.ts'

/** A key entry for a signer's key; active for both uses unless told otherwise. */
export function packKey(
  { kid, publicKey }: Pick<Signer, 'kid' | 'publicKey'>,
  changes: Partial<PackKey> = {}
): PackKey {
  return {
    kid,
    notBefore: 1_700_000_000_000,
    publicKey: toBase64url(publicKey),
    status: 'ACTIVE',
    uses: ['event', 'pack'],
    ...changes
  }
}

export interface PackPlan {
  readonly orgId: string
  readonly before?: AnchorPack | null
  /** What the pack holds: all keys of a full one, the changed ones of a delta. */
  readonly keys: readonly PackKey[]
  /** All keys that result; by default those of the pack. */
  readonly resulting?: readonly PackKey[]
  readonly signers: readonly Pick<Signer, 'kid'>[]
  readonly changes?: Partial<AnchorPack>
}

/** The pack after `before` with a right root, unless `changes` say otherwise. */
export function makePack({
  orgId,
  before = null,
  keys,
  resulting = keys,
  signers,
  changes = {}
}: PackPlan): AnchorPack {
  const threshold = changes.threshold ?? before?.threshold ?? 1
  return {
    orgId,
    packSeq: (before?.packSeq ?? 0) + 1,
    prevPack: before === null ? null : packHash(before),
    kind: 'full',
    keys: byKid(keys),
    threshold,
    validUntil: 1_800_000_000_000,
    root: packRoot({ orgId, threshold, keys: resulting }),
    signingKids: signers.map(({ kid }) => kid).sort(),
    ...changes
  }
}

/** A pack as the walk sees it. */
export function received(pack: AnchorPack, changes: Partial<ReceivedPack> = {}): ReceivedPack {
  return {
    hash: packHash(pack),
    pack,
    ts: 1_700_000_000_000 + pack.packSeq,
    signerBelongs: true,
    signed: true,
    ...changes
  }
}

/** The pack in an event of `author`, signed by all of `signers`, the author among them. */
export async function packEvent(
  author: Signer,
  signers: readonly Signer[],
  pack: AnchorPack,
  before: SignedEvent | null = null,
  ts: number = (before?.envelope.ts ?? 1_700_000_000_000) + 1
): Promise<SignedEvent> {
  const envelope: Envelope = {
    v: 1,
    type: 'anchor-pack',
    namespace: '_trust',
    signer: author.did,
    kid: author.kid,
    authorSeq: (before?.envelope.authorSeq ?? 0) + 1,
    prev: before?.id ?? null,
    ts,
    body: { ...pack, keys: pack.keys.map((key) => ({ ...key })) } as unknown as Envelope['body']
  }
  const canonical = canonicalEvent(envelope)
  const signatures = await Promise.all(
    signers.map(async (signer) => ({
      kid: signer.kid,
      signature: await signer.sign(eventSigningInput('anchor-pack', signer.kid, canonical))
    }))
  )
  return { id: eventId(canonical), envelope, wire: encodeEvent(envelope, signatures) }
}

/**
 * The pack in an event of `did` whose signatures are in the right form and nothing more: for tests of what folds make
 * of packs that are refused before anybody looks at signatures, where thousands are needed.
 */
export function carrierOf(did: string, pack: AnchorPack, ts: number, before: SignedEvent | null = null): SignedEvent {
  const envelope = carrierEnvelope(did, pack, ts, before)
  const signatures = pack.signingKids.map((signing) => ({ kid: signing, signature: new Uint8Array(64) }))
  return { id: eventId(canonicalEvent(envelope)), envelope, wire: encodeEvent(envelope, signatures) }
}

/** The pack in an event of `did`, signed by those of `signers` whose kids it names. */
export async function signedCarrierOf(
  did: string,
  pack: AnchorPack,
  ts: number,
  signers: readonly Signer[],
  before: SignedEvent | null = null
): Promise<SignedEvent> {
  const envelope = carrierEnvelope(did, pack, ts, before)
  const canonical = canonicalEvent(envelope)
  const signing = signers.filter(({ kid }) => pack.signingKids.includes(kid))
  const signatures = await Promise.all(
    signing.map(async (signer) => {
      const { kid } = signer
      return { kid, signature: await signer.sign(eventSigningInput('anchor-pack', kid, canonical)) }
    })
  )
  return { id: eventId(canonical), envelope, wire: encodeEvent(envelope, signatures) }
}

function carrierEnvelope(did: string, pack: AnchorPack, ts: number, before: SignedEvent | null): Envelope {
  const [kid = ''] = pack.signingKids
  const body = pack as unknown as Envelope['body']
  const [authorSeq, prev] = [(before?.envelope.authorSeq ?? 0) + 1, before?.id ?? null]
  return { v: 1, type: 'anchor-pack', namespace: '_trust', signer: did, kid, authorSeq, prev, ts, body }
}

function byKid(keys: readonly PackKey[]): readonly PackKey[] {
  return keys.toSorted((left, right) => (left.kid < right.kid ? -1 : 1))
}
