import type { AnchorPack, PackKey } from '../../protocols/event/v1/anchor-pack.ts'
import { toBase64url } from '../../protocols/primitives/bytes.ts'
import type { AnchorStore } from '../../src/pack-sync/anchors.ts'
import { memoryAnchorStore } from '../../src/pack-sync/anchor-store.ts'
import { shelfOfEvents } from '../../src/pack-sync/event-shelf.ts'
import { servePage } from '../../src/pack-sync/shelf.ts'
import type { AnchorSyncOptions, SyncedOrganisation } from '../../src/pack-sync/sync-options.ts'
import type { PackTransport } from '../../src/pack-sync/transport.ts'
import type { AuditEntry } from '../../src/platform/audit.ts'
import type { Clock } from '../../src/platform/clock.ts'
import type { SignedEvent } from '../support/events.ts'
import { next } from '../support/events.ts'
import { createHandClock } from '../support/hand-clock.ts'
import type { TestMember } from '../support/identities.ts'
import { member } from '../support/identities.ts'
import { makePack, packEvent, packKey } from '../support/packs.ts'

export const ADA = member('ada')
export const BEA = member('bea')
export const ORG = ADA.orgId
export const SELF_ORG = 'org-self'

/** Further keys of Ada's organisation. */
export const KEYS = ['b', 'c', 'd'].map((name) => {
  const { signer } = member(`pack-key-${name}`)
  return { ...signer, did: ADA.signer.did, kid: `kid-${name}` }
})

export const keyEntry = (
  kid: { readonly kid: string; readonly publicKey: Uint8Array },
  changes: Partial<PackKey> = {}
): PackKey => packKey(kid, changes)

export interface PackChainEvents {
  readonly packs: readonly AnchorPack[]
  /** One for each pack. */
  readonly events: readonly SignedEvent[]
  /** All, with those between the packs, in the order of the chain. */
  readonly wires: readonly Uint8Array[]
}

/** `count` packs of Ada's organisation, each with something new, and `links` other events before each on the chain. */
export async function packChain(
  count: number,
  {
    links = 0,
    keys = [ADA.signer, ...KEYS]
  }: { readonly links?: number; readonly keys?: readonly (typeof ADA.signer)[] } = {}
): Promise<PackChainEvents> {
  const packs: AnchorPack[] = []
  const events: SignedEvent[] = []
  const wires: Uint8Array[] = []
  let last: SignedEvent | null = null
  for (let index = 0; index < count; index += 1) {
    for (let link = 0; link < links; link += 1) {
      last = await next(ADA, last, { link, index }, { type: 'some-note', namespace: '_trust' })
      wires.push(last.wire)
    }
    const pack = nextPack(packs.at(-1) ?? null, index, keys)
    last = await packEvent(ADA.signer, [ADA.signer], pack, last)
    packs.push(pack)
    events.push(last)
    wires.push(last.wire)
  }
  return { packs, events, wires }
}

/** A valid pack after `before`, signed by Ada's key; packs of one `index` and different `notes` differ. */
export function nextPack(
  before: AnchorPack | null,
  index: number,
  keys: readonly (typeof ADA.signer)[] = [ADA.signer, ...KEYS],
  changes: Partial<AnchorPack> = {}
): AnchorPack {
  const resulting = keys.map((key) => keyEntry(key))
  return makePack({
    orgId: ORG,
    before,
    keys: resulting,
    signers: [ADA.signer],
    changes: { validUntil: 1_800_000_000_000 + index, ...changes }
  })
}

/** Ada's organisation as somebody knows it who is not in its mesh. */
export function organisation(changes: Partial<SyncedOrganisation> = {}): SyncedOrganisation {
  const keys = [{ kid: ADA.signer.kid, publicKey: toBase64url(ADA.signer.publicKey) }]
  return {
    root: { orgId: ORG, threshold: 1, pins: new Map(), keys },
    dids: [ADA.signer.did],
    sources: ['https://source.example'],
    ...changes
  }
}

/** A source in memory that does all that the SPEC says. */
export function honestSource(
  wires: Iterable<Uint8Array>,
  clock: Clock,
  name: string = 'https://source.example'
): PackTransport {
  const shelf = shelfOfEvents(wires)
  return {
    name,
    pull: (request) => servePage(shelf, request, clock),
    push: () => Promise.resolve({ ok: false, reason: 'refused', code: 'denied', detail: 'it takes nothing' })
  }
}

export interface SyncWorld {
  readonly options: AnchorSyncOptions
  readonly store: AnchorStore
  readonly audited: AuditEntry[]
}

export const ALLOW_ALL = { crossOrg: [{ from: '*', to: '*', operations: ['*'] }] }

/** What a sync works with, over sources by their addresses. */
export function syncWorld(
  sources: Readonly<Record<string, PackTransport>>,
  changes: Partial<AnchorSyncOptions> = {},
  known: Partial<SyncedOrganisation> = {}
): SyncWorld {
  const store = changes.store ?? memoryAnchorStore()
  const audited: AuditEntry[] = []
  const options: AnchorSyncOptions = {
    store,
    orgId: SELF_ORG,
    policy: ALLOW_ALL,
    organisations: [organisation({ sources: Object.keys(sources), ...known })],
    transport: (source) => sources[source] ?? null,
    clock: createHandClock(),
    audit: { record: (entry) => audited.push(entry), flushed: () => Promise.resolve() },
    ...changes
  }
  return { options, store, audited }
}

/** The same, with packs pinned by number and hash. */
export function withPins(
  options: AnchorSyncOptions,
  ...pins: readonly (readonly [number, string])[]
): AnchorSyncOptions {
  const organisations = options.organisations.map((known) => ({
    ...known,
    root: { ...known.root, pins: new Map(pins) }
  }))
  return { ...options, organisations }
}

export function peerOf({ orgId, signer }: TestMember): { did: string; orgId: string } {
  return { did: signer.did, orgId }
}
