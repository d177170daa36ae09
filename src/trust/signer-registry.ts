import type { KeyStatus, KeyUse, LastGood } from '../../protocols/event/v1/anchor-pack.ts'
import type { Signer } from './signer.ts'

/**
 * What the next pack of the organisation shall say of one key. It counts until a pack has changed the key since it was
 * decided: then it is fulfilled, or another machine of the organisation has decided otherwise, and the packs hold.
 */
export interface IntendedKey {
  readonly kid: string
  /** Ed25519, 32 bytes as base64url. */
  readonly publicKey: string
  /** Ascending, at least one. */
  readonly uses: readonly KeyUse[]
  readonly status: KeyStatus
  readonly notBefore: number
  readonly notAfter?: number | undefined
  readonly retiredAt?: number | undefined
  readonly revokedAt?: number | undefined
  readonly reason?: string | undefined
  /**
   * What stays good of a key that is retired or revoked: these events and their ancestors, or `tips`: whatever this
   * node holds of it when the pack is made.
   */
  readonly lastGood?: 'tips' | readonly LastGood[] | undefined
  /** The number of the organisation's last pack when this was decided. */
  readonly after: number
}

/** What the next pack shall change. */
export interface SignerPlan {
  /** How many keys shall sign the packs after the next one, as long as `instead` of it is in force; `null`: as it is. */
  readonly threshold: { readonly value: number; readonly instead: number } | null
  /** Ascending by kid. */
  readonly keys: readonly IntendedKey[]
  /**
   * The last draft that keys of this machine signed, its own or another's: two that are both completed at one number
   * freeze the organisation.
   */
  readonly signed?: SignedDraft | undefined
}

/** A draft by its pack. */
export interface SignedDraft {
  readonly packSeq: number
  readonly packHash: string
}

export const NO_PLAN: SignerPlan = { threshold: null, keys: [] }

/** A key whose private half is at hand. */
export interface HeldKey {
  readonly kid: string
  readonly publicKey: string
  /** Ascending. */
  readonly uses: readonly KeyUse[]
  /** Milliseconds since 1970. */
  readonly createdAt: number
  /** Another process holds it, and signs with it. */
  readonly isExternal?: true
}

/** A pack that waits for signatures of others: canonical bytes of its event and what has signed them (`PackDraft`). */
export interface StoredDraft {
  readonly v: 1
  /** SHA-256 of the canonical bytes, hex. */
  readonly id: string
  /** The canonical bytes of the event, base64url. */
  readonly event: string
  readonly signatures: readonly { readonly kid: string; readonly signature: string }[]
}

/**
 * What an operator keeps of the organisation's keys on this machine: private keys, what the next pack shall say, and
 * the draft that waits. One caller at a time: the node that has the data folder.
 */
export interface SignerRegistry {
  /** Throws `SIGNERS_CORRUPT`, `SIGNERS_PERMISSIONS`. */
  plan(): Promise<SignerPlan>
  /** Durable when it resolves. */
  savePlan(plan: SignerPlan): Promise<void>
  /** The keys for events and packs that are held here, oldest first, and the one that signs events. Throws `KEYSTORE_*`. */
  held(): Promise<{ readonly keys: readonly HeldKey[]; readonly signing: string }>
  /** A new key; which one signs events stays as it is. Durable when it resolves. */
  newKey(uses: readonly KeyUse[], createdAt: number): Promise<HeldKey>
  /** Signs with a key that is held; `null` where it is not. */
  signer(kid: string): Promise<Signer | null>
  /** Has events signed with this key, which is held, from the next reading of the keys on. */
  moveSigning(kid: string): Promise<void>
  /** The draft of this node that waits, or `null`. */
  draft(): Promise<StoredDraft | null>
  saveDraft(draft: StoredDraft | null): Promise<void>
}
