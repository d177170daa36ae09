import type { AnchorPack, PackKey } from '../../protocols/event/v1/anchor-pack.ts'
import { packHash } from '../../protocols/event/v1/anchor-pack.ts'
import { toBase64url } from '../../protocols/primitives/bytes.ts'
import { sha256, sha256Hex } from '../../protocols/primitives/sha256.ts'
import type { EffectivePolicy } from '../../src/policy/policy.ts'
import { localSigner } from '../../src/trust/local-signer.ts'
import type { SignedEvent } from '../support/events.ts'
import { announceBody, next } from '../support/events.ts'
import type { PolicyOptions, TestMember } from '../support/identities.ts'
import { member, policyOf } from '../support/identities.ts'
import { makePack, packEvent, packKey } from '../support/packs.ts'

const ORGANISATIONS = 25
/** Each organisation has two; they take turns, so that those next to each other are of different ones. */
const SIGNERS = 2 * ORGANISATIONS
/** Announces of each signer: half of them under its first key, the others under the next one. */
export const OF_EACH = 200
/** What the signer that announces too much wants on top of that: 5 % of all that is handed in. */
export const TOO_MANY = 537
export const EVENTS = (SIGNERS + 1) * OF_EACH
/** Two announces of different organisations for each batch, but for the signer that announces too much. */
export const BATCHES = EVENTS / 2 + OF_EACH / 2

/** Of each signer the old one, the first and the next; and that of the one that announces too much. */
export const KEYS = 3 * SIGNERS + 1

interface Signing {
  readonly first: TestMember
  readonly next: TestMember
}

/** Nobody's limit. */
const OPEN = { perPeer: 1_000_000, perSigner: 1_000_000, perNamespace: 10_000_000, dailyCap: 1_000_000_000 }
/** Each may name as many, and the one that it names comes last. */
const MEASUREMENTS = 4

export const self = member('governance-node')
const orgOf = (index: number): string => `org-${String(index % ORGANISATIONS).padStart(2, '0')}`
const signers: readonly Signing[] = Array.from({ length: SIGNERS }, (_, index) => signing(index))
/** Has one key, and announces more than others do. */
const eager = member('governance-eager', orgOf(0))

function signing(index: number): Signing {
  const first = member(`governance-${index}`, orgOf(index))
  const identity = { did: first.signer.did, kid: `next-${index}` }
  return { first, next: { ...first, signer: localSigner(sha256(`governance next ${index}`), identity) } }
}

const measurementsOf = ({ signer }: TestMember): readonly string[] =>
  Array.from({ length: MEASUREMENTS }, (_, index) => sha256Hex(`${signer.did} ${index}`)).sort()

/** What both kinds of nodes take in, and the packs that only one of them has. */
export interface Workload {
  /** Before the keys are rotated, and after. */
  readonly halves: readonly (readonly SignedEvent[])[]
  /** The same, with those of the signer that announces too much among them. */
  readonly tooMuch: readonly (readonly SignedEvent[])[]
  /** Those with the keys of both halves, and those that retire the keys of the first half. */
  readonly packs: readonly (readonly SignedEvent[])[]
  readonly firstPacks: ReadonlyMap<string, string>
}

export async function workload(): Promise<Workload> {
  const tips = new Map<string, SignedEvent>()
  const announce = async (by: TestMember, batchId: string, owner?: string): Promise<SignedEvent> => {
    const body = announceBody(batchId, owner === undefined ? {} : { owner })
    const token = Buffer.from(`token of ${by.signer.did} over ${batchId}`).toString('base64url')
    const event = await next(by, tips.get(by.signer.kid) ?? null, {
      ...body,
      attestationMeasurementHash: measurementsOf(by).at(-1) ?? '',
      timestampAnchors: [{ chainId: 'rfc3161:test', token }]
    })
    tips.set(by.signer.kid, event)
    return event
  }
  const halves: SignedEvent[][] = [[], []]
  const tooMuch: SignedEvent[][] = [[], []]
  let eagerly = 0
  for (let turn = 0; turn < OF_EACH; turn += 1) {
    const half = turn < OF_EACH / 2 ? 0 : 1
    for (const [index, { first, next: second }] of signers.entries()) {
      const by = half === 0 ? first : second
      const isOwner = index % 2 === 0
      const batch = `batch-${turn}-${index >> 1}`
      const event = await (isOwner ? announce(by, batch) : announce(by, batch, orgOf(index - 1)))
      halves[half]?.push(event)
      tooMuch[half]?.push(event)
    }
    for (; eagerly < ((turn + 1) * (OF_EACH + TOO_MANY)) / OF_EACH; eagerly += 1) {
      const event = await announce(eager, `eager-${eagerly}`)
      if (eagerly < OF_EACH) halves[half]?.push(event)
      tooMuch[half]?.push(event)
    }
  }
  return { halves, tooMuch, ...(await rotations(tips)) }
}

/** Every organisation introduces the next keys of its signers, and retires or revokes the first ones. */
async function rotations(tips: ReadonlyMap<string, SignedEvent>): Promise<Pick<Workload, 'packs' | 'firstPacks'>> {
  const packs: SignedEvent[][] = [[], []]
  const firstPacks = new Map<string, string>()
  for (let org = 0; org < ORGANISATIONS; org += 1) {
    const own = [signers[org], signers[org + ORGANISATIONS]].filter((one) => one !== undefined)
    const signer = own[0]?.next.signer ?? self.signer
    const rest = [
      ...own.map((one) => packKey(one.next.signer)),
      ...own.map(({ first }, index) => longRetired(first, index))
    ]
    if (org === 0) rest.push(packKey(eager.signer))
    let before: AnchorPack | null = null
    let carrier: SignedEvent | null = null
    for (const [index, changes] of [() => ({}), (one: TestMember) => ended(one, org, tips)].entries()) {
      const keys = [...rest, ...own.map(({ first }) => packKey(first.signer, changes(first)))]
      const pack: AnchorPack = makePack({ orgId: orgOf(org), before, keys, signers: [signer] })
      carrier = await packEvent(signer, [signer], pack, carrier)
      packs[index]?.push(carrier)
      if (before === null) firstPacks.set(orgOf(org), packHash(pack))
      before = pack
    }
  }
  return { packs, firstPacks }
}

/** A key that was retired before anything here was announced. */
function longRetired({ signer }: TestMember, index: number): PackKey {
  const old = localSigner(sha256(`governance old ${signer.did}`), { did: signer.did, kid: `old-${index}` })
  return packKey(old, { status: 'RETIRED', retiredAt: 1_700_000_000_000 })
}

function ended({ signer }: TestMember, org: number, tips: ReadonlyMap<string, SignedEvent>): Partial<PackKey> {
  const last = tips.get(signer.kid)
  if (last === undefined) throw new Error('a signer without an event')
  const { did, kid } = signer
  const { namespace, authorSeq } = last.envelope
  const lastGood = [{ signer: did, kid, namespace, authorSeq, id: last.id }]
  const at = 1_700_000_000_000
  return org % 5 === 0 ? { status: 'REVOKED', revokedAt: at, lastGood } : { status: 'RETIRED', retiredAt: at, lastGood }
}

/** Everybody may do everything, and no limit is reached. */
export function openPolicy(): EffectivePolicy {
  return policyWith({ rate: OPEN })
}

/**
 * Tenants for all keys, own measurements for all signers, a rule of its own for each pair of organisations, and pinned
 * first packs.
 */
export function governedPolicy({ firstPacks }: Workload, limits: { readonly dailyCap?: number } = {}): EffectivePolicy {
  const everybody = [...signers.map(({ first }) => first), eager]
  const organisations = [...firstPacks.keys()]
  return policyWith({
    rate: { ...OPEN, ...limits },
    tenants: Object.fromEntries(organisations.map((orgId) => [orgId, 'test'])),
    attestations: {
      required: true,
      signers: Object.fromEntries(everybody.map((one) => [one.signer.did, measurementsOf(one)]))
    },
    crossOrg: organisations.flatMap((from) =>
      organisations
        .filter((to) => to !== from)
        .map((to) => ({ from, to, operations: ['timestamp', 'bundle', 'pack-pull'] }))
    ),
    organisations: organisations.map((orgId) => ({ orgId, threshold: 1, firstPack: firstPacks.get(orgId) ?? '' }))
  })
}

/** With both keys of each signer: who has no packs knows them by its configuration. */
function policyWith(options: PolicyOptions): EffectivePolicy {
  const policy = policyOf(self, [self, ...signers.map(({ first }) => first), eager], options)
  const later = new Map(signers.map(({ next: { signer } }) => [signer.did, signer]))
  const peers = policy.peers.map((peer) => {
    const signer = later.get(peer.did)
    if (signer === undefined) return peer
    const [{ tenant } = {}] = peer.keys
    const domain = tenant === undefined ? {} : { tenant }
    const keys = [...peer.keys, { kid: signer.kid, publicKey: toBase64url(signer.publicKey), ...domain }]
    return { ...peer, keys: keys.sort((left, right) => (left.kid < right.kid ? -1 : 1)) }
  })
  return { ...policy, peers }
}
