import type { AnchorPack, KeyStatus, KeyUse, LastGood, PackKey } from '../../protocols/event/v1/anchor-pack.ts'
import type { PackKeyProof } from '../../protocols/event/v1/pack-proof.ts'
import type { StoredDraft } from '../trust/signer-registry.ts'

/** A pack that waits for signatures, as a file that goes from machine to machine (`StoredDraft`). */
export type PackDraft = StoredDraft

/** What a node does with the keys of its organisation, and with the packs of all. */
export interface PackOperations {
  /** The organisation's keys: as packs have them, as the next pack shall, and which of them are held here. */
  signers(): Promise<SignersReport>
  /**
   * Has the next pack add a key, one that is made here now unless `publicKey` names another's, or change what an active
   * one may sign, or keep one as it is that was to be retired or revoked. Throws `KEY_EXISTS`, `KEY_WEAK`, `SIGNER_UNKNOWN`, `PUBLISH_REFUSED` (`PACK_STATUS_BACKWARD`).
   */
  addKey(request: AddKeyRequest): Promise<ListedSigner>
  /**
   * Has the next pack put a new key of this machine in the place of one that is held here (by default the one that
   * signs events), which is retired. Throws `SIGNER_UNKNOWN`, `KEY_NOT_HELD`, `PUBLISH_REFUSED`
   * (`PACK_STATUS_BACKWARD`).
   */
  rotateKey(request: RotateKeyRequest): Promise<RotatedKey>
  /**
   * Has the next pack retire a key: what this node then holds of its events stays good, further ones have no effect.
   * Throws `SIGNER_UNKNOWN`, `KEY_IN_USE` for the last key that this node can sign events with, `PUBLISH_REFUSED`
   * (`PACK_STATUS_BACKWARD`).
   */
  retireKey(request: RetireKeyRequest): Promise<ListedSigner>
  /**
   * Has the next pack revoke a key. Throws `SIGNER_UNKNOWN`, `LAST_GOOD_REQUIRED` (with the tips in its detail),
   * `LAST_GOOD_UNKNOWN`, `PUBLISH_REFUSED` (`PACK_STATUS_BACKWARD`).
   */
  revokeKey(request: RevokeKeyRequest): Promise<ListedSigner>
  /** Says how many keys must sign the packs after the next one. */
  setKeyThreshold(request: { readonly threshold: number }): Promise<SignersReport>
  /**
   * Publishes the next pack. Throws `PUBLISH_REFUSED` with the code that the pack would get everywhere else
   * (`PACK_THRESHOLD` where the keys that are held here are too few), `PACK_SIGNATURES_MISSING` where keys of others are
   * named, `PACK_DRAFT_PENDING` while a draft waits.
   */
  publishPack(request?: PublishPackRequest): Promise<PublishedPack>
  /**
   * Makes the next pack and signs it with what is held here; it waits for those of `with`, or for all others where
   * nobody else could do. Throws as `publishPack` but for signatures that are missing.
   */
  draftPack(request?: PublishPackRequest): Promise<DraftedPack>
  /**
   * Judges a draft of another machine by this node's own view, and signs it with what it names and is held here. Throws
   * `PUBLISH_REFUSED` (codes of packs), `PACK_DRAFT_INVALID`, `PACK_DRAFT_ALTERED`, `PACK_DRAFT_STALE`, `KEY_NOT_HELD`,
   * `PACK_ALREADY_SIGNED`; `PACK_DRAFT_PENDING` where this machine has signed another draft of that number, which others may
   * still complete, unless that is given up.
   */
  signPack(draft: PackDraft, request?: SignPackRequest): Promise<DraftedPack>
  /** Publishes a draft that has all its signatures once this node's are added. Throws as `signPack`, `PACK_SIGNATURES_MISSING`. */
  completePack(draft: PackDraft): Promise<PublishedPack>
  /** The packs of an organisation at a number, by default its last that counts. Throws `PACK_UNKNOWN`. */
  packs(query: PackQuery): Promise<readonly PackView[]>
  /** A draft, and what it would change. Throws `PACK_DRAFT_INVALID`, `PACK_DRAFT_ALTERED`. */
  viewDraft(draft: PackDraft): Promise<PackView>
  /** Proves to a third party that a key is in an organisation's last pack. Throws `PACK_UNKNOWN`, `SIGNER_UNKNOWN`. */
  trustProof(query: { readonly orgId?: string | undefined; readonly kid: string }): Promise<TrustProof>
  /** Pins an organisation's pack in the configuration. Throws `CONFIG_INVALID`, `PINS_NOT_KEPT`. */
  pinPack(pin: PackPin): Promise<PinnedPack>
}

export interface AddKeyRequest {
  readonly kid?: string | undefined
  /** Base64url; without it a key of this machine. */
  readonly publicKey?: string | undefined
  /** Default both. */
  readonly uses?: readonly KeyUse[] | undefined
  readonly notAfter?: number | undefined
}

export interface RotateKeyRequest {
  readonly kid?: string | undefined
  readonly reason?: string | undefined
}

export interface RotatedKey {
  readonly added: ListedSigner
  readonly retired: ListedSigner
}

export interface RetireKeyRequest {
  readonly kid: string
  readonly reason?: string | undefined
}

export interface RevokeKeyRequest {
  readonly kid: string
  readonly reason: string
  /**
   * What stays good: `all` that this node holds of it now, `none`, or these events (ids) and their ancestors. By default what
   * the retired key's own pack says.
   */
  readonly lastGood?: 'all' | 'none' | readonly string[] | undefined
}

export interface SignPackRequest {
  /** Gives up what this machine has signed at that number before. Whoever has all its signatures could still publish it. */
  readonly discardDraft?: boolean | undefined
}

export interface PublishPackRequest {
  /** How many keys must sign the packs after this one; by default what the registry says, else as before. */
  readonly threshold?: number | undefined
  /** Only what changes, in the place of all keys; the same keys result. */
  readonly delta?: boolean | undefined
  /** How long until the keys are shown as stale, in days; default 90. */
  readonly validDays?: number | undefined
  /** Keys of others that sign it, too. */
  readonly with?: readonly string[] | undefined
  /** Gives up a draft of this node that waits. Whoever has all its signatures could still publish it. */
  readonly discardDraft?: boolean | undefined
  /**
   * For a draft: asks nothing of the keys before it, which are lost. It counts only where operators pin it, here, too,
   * before it is signed by others or published.
   */
  readonly recover?: boolean | undefined
}

/** A key of this organisation. */
export interface ListedSigner {
  readonly kid: string
  readonly publicKey: string
  /** Whether the private key is on this machine. */
  readonly held: boolean
  /** Whether this node signs its events with it now. */
  readonly signing: boolean
  /** As the packs in force have it; `null` for a key that is in none. */
  readonly inForce: PackKey | null
  /** The pack that said so last. */
  readonly packSeq: number | null
  /** What the next pack shall say, where that is something else. */
  readonly intended: IntendedSigner | null
  /** When it was made, or since when it was to be used, in milliseconds since 1970; `null` where nobody knows. */
  readonly since: number | null
}

export interface IntendedSigner {
  readonly status: KeyStatus
  readonly uses: readonly KeyUse[]
  readonly reason: string | null
  /** `tips`: what is held of it when the pack is made. */
  readonly lastGood: 'tips' | readonly LastGood[] | null
}

export interface SignersReport {
  readonly orgId: string
  /** The last pack that counts; 0 before the first. */
  readonly packSeq: number
  /** Two valid packs stand at the number after it: nothing goes on until one is pinned. */
  readonly isFrozen: boolean
  readonly threshold: number
  readonly intendedThreshold: number | null
  /** The hash of the draft of this node that waits. */
  readonly draft: { readonly packSeq: number; readonly packHash: string; readonly missing: readonly string[] } | null
  readonly signers: readonly ListedSigner[]
}

export interface PublishedPack {
  readonly id: string
  readonly logSeq: number
  /** How many peers the event was handed to at once; 0 when none is connected. */
  readonly recipients: number
  readonly orgId: string
  readonly packSeq: number
  readonly packHash: string
}

export interface DraftedPack {
  readonly orgId: string
  readonly packSeq: number
  readonly packHash: string
  readonly draft: PackDraft
  /** Whose signatures it still needs. */
  readonly missing: readonly string[]
}

export interface PackQuery {
  /** By default this node's own organisation. */
  readonly orgId?: string | undefined
  readonly packSeq?: number | undefined
}

/** A pack, what it changed, and what it counts for here. */
export interface PackView {
  readonly orgId: string
  readonly packSeq: number
  readonly hash: string
  /**
   * `valid`: it is in the chain of those that count; `frozen`: valid, but two stand at its number or below it; `draft`: it
   * waits for signatures; `refused` and `waiting`: see `code`.
   */
  readonly state: 'valid' | 'frozen' | 'draft' | 'refused' | 'waiting'
  readonly code: string | null
  readonly kind: AnchorPack['kind'] | null
  readonly prevPack: string | null
  readonly threshold: number | null
  readonly thresholdBefore: number | null
  readonly validUntil: number | null
  /** Whether it is past `validUntil` by this node's clock. */
  readonly isStale: boolean
  readonly root: string | null
  readonly signers: readonly { readonly kid: string; readonly hasSigned: boolean }[]
  /** The event that carries it. */
  readonly eventId: string | null
  readonly signer: string | null
  readonly ts: number | null
  /** The keys that result; of a pack that does not count those that it names. */
  readonly keys: readonly PackKey[]
  readonly changes: readonly PackChange[]
}

export interface PackChange {
  readonly kid: string
  /** `null` for a key that is new. */
  readonly before: KeyStatus | null
  readonly after: KeyStatus
  /** What changed, by the names of a key's members. */
  readonly members: readonly string[]
}

/** All that a third party needs to check that a key is an organisation's (EV-35 to EV-38). */
export interface TrustProof extends PackKeyProof {
  readonly orgId: string
  readonly packSeq: number
  readonly packHash: string
  readonly root: string
  readonly threshold: number
  readonly validUntil: number
  /** The wire bytes of the event that carries the pack, base64url. */
  readonly event: string
}

export interface PackPin {
  readonly orgId: string
  readonly packSeq: number
  readonly hash: string
}

export interface PinnedPack extends PackPin {
  /** Whether this node holds the pack. */
  readonly isKnown: boolean
  /** Whether the configuration says something else now. */
  readonly isChanged: boolean
  /** Whether the pin is in force already; else it is at the next start. */
  readonly isInForce: boolean
}
