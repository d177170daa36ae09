import type { PackKey } from '../../protocols/event/v1/anchor-pack.ts'
import type { AnchoredKey, PackState } from '../trust/pack-chain.ts'

/** A trust anchor: a key of an organisation as its packs give it, with the pack that last changed it. */
export type Anchor = PackKey & { readonly orgId: string; readonly packSeq: number; readonly changedBy: string }

/** What an organisation's packs come to up to one of them. */
export interface AnchorSet {
  /** 0 before the first pack. */
  readonly packSeq: number
  /** Of the pack (EV-35); `null` before the first. */
  readonly hash: string | null
  readonly threshold: number
  readonly validUntil: number
  /** Ascending by kid. */
  readonly anchors: readonly Anchor[]
}

/** An organisation's trust anchors as they are stored, by namespace and organisation. */
export interface StoredAnchors extends AnchorSet {
  readonly namespace: string
  readonly orgId: string
  /** The number at which there are two valid packs; then the rest says how it was before. */
  readonly forkedAt: number | null
  /** Before the last pack: what another pack at its number would continue. `null` where it is not known. */
  readonly previous: AnchorSet | null
}

/** How the last sync of one source ended, where it did not end well. */
export interface SourceMark {
  readonly code: string
  /** Milliseconds since 1970. */
  readonly at: number
}

/** Where the sync of an organisation stands. */
export interface SyncState {
  readonly namespace: string
  readonly orgId: string
  /** What is under way: the source, and what to ask it for next. `null` when nothing is. */
  readonly resume: { readonly source: string; readonly afterPackSeq: number; readonly pageToken: string } | null
  /** The last pack that a sync brought. */
  readonly lastPackSeq: number
  /** How the last sync ended; `null` before the first, and while one is under way. */
  readonly lastResult: {
    readonly source: string
    readonly outcome: string
    readonly code: string | null
    readonly at: number
  } | null
  /** Sources that lied, by name; they are left alone for a while. */
  readonly liars: Readonly<Record<string, SourceMark>>
}

/** Where anchors and the state of their sync are kept, as a port. */
export interface AnchorStore {
  anchors(namespace: string, orgId: string): Promise<StoredAnchors | null>
  state(namespace: string, orgId: string): Promise<SyncState | null>
  /** Writes both, or one, durably and at once or not at all. */
  put(entry: { readonly anchors?: StoredAnchors; readonly state?: SyncState }): Promise<void>
}

/** Whose anchors. */
export interface AnchorName {
  readonly namespace: string
  readonly orgId: string
}

/** The anchors of an organisation; `null` where none were stored. */
export async function getAnchors(store: AnchorStore, name: AnchorName): Promise<StoredAnchors | null> {
  return await store.anchors(name.namespace, name.orgId)
}

/** Stores what somebody knows of an organisation by another way, in the place of what was there. */
export async function setAnchors(store: AnchorStore, anchors: StoredAnchors): Promise<void> {
  await store.put({ anchors })
}

/** Where the sync of an organisation stands; before the first, that nothing came yet. */
export async function getSyncState(store: AnchorStore, name: AnchorName): Promise<SyncState> {
  return (await store.state(name.namespace, name.orgId)) ?? noSync(name)
}

export async function setSyncState(store: AnchorStore, state: SyncState): Promise<void> {
  await store.put({ state })
}

export function noSync({ namespace, orgId }: AnchorName): SyncState {
  return { namespace, orgId, resume: null, lastPackSeq: 0, lastResult: null, liars: {} }
}

/** A state of the walk as it is stored. */
export function anchorSetOf(orgId: string, { keys, ...state }: PackState): AnchorSet {
  const anchors = [...keys.values()].map(({ key, packSeq, changedBy }) => ({ ...key, orgId, packSeq, changedBy }))
  return { ...state, anchors: anchors.toSorted((left, right) => (left.kid < right.kid ? -1 : 1)) }
}

/** The state of the walk that was stored. */
export function stateOf({ anchors, packSeq, hash, threshold, validUntil }: AnchorSet): PackState {
  const keys = anchors.map(({ orgId: _orgId, packSeq: changedAt, changedBy, ...key }): [string, AnchoredKey] => {
    return [key.kid, { key, packSeq: changedAt, changedBy }]
  })
  return { packSeq, hash, threshold, validUntil, keys: new Map(keys) }
}
