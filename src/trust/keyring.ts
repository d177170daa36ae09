import { equalBytes, fromBase64url } from '../../protocols/primitives/bytes.ts'
import { publicKeyOfDidKey } from '../../protocols/signature/v1/did-key.ts'
import type { KeyLookup } from '../events/verified.ts'
import type { CheckedPublicKey } from '../../protocols/signature/v1/ed25519.ts'
import { checkPublicKey } from '../../protocols/signature/v1/ed25519.ts'
import { restoreKeyOnce } from './checked-keys.ts'

// did:key signers need no binding, so anybody can name new ones; this many parsed keys are about 4 MiB.
const DID_KEYS_CACHED_MAX = 4_096

/**
 * A forked pack chain can bind one kid to several keys. More than a few are the work of a thief who wants each of
 * them tried on every event: with 16, one signature costs at most 32 verifications (those of configuration and those
 * of packs stand apart, so that packs never displace configured ones). Of more the smallest count, whichever came
 * first; an event under any other is none that this node can verify.
 */
const KEYS_OF_KID_MAX = 16

/**
 * Every key that was ever bound to a signer: by its own did:key, by configuration, by packs of its organisation. It
 * only grows (up to 16 keys of a kid), so that what was admitted once is admitted everywhere; what a key may still do
 * is decided by folds.
 * Grows with the keys that operators configure and with the packs of the organisations that they pinned.
 */
export class Keyring {
  readonly #bound = new Map<string, readonly CheckedPublicKey[]>()
  readonly #didKeys = new Map<string, KeyLookup>()
  #generation = 0

  /** Grows with every key that is bound: what was found under an older one may be out of date. */
  get generation(): number {
    return this.#generation
  }

  /**
   * Binds a key (base64url of 32 bytes) that a policy or a pack in this node's log bound to a DID or an organisation:
   * it was checked before it got there. A kid can come to stand for several keys: an event under any of the 16
   * smallest is admitted, whichever came first. Returns whether the key is one of them and was not before.
   */
  bind(holder: string, kid: string, publicKey: string): boolean {
    const name = `${holder}\n${kid}`
    const bytes = fromBase64url(publicKey)
    const known = this.#bound.get(name) ?? []
    if (bytes === null || known.some((key) => equalBytes(key.bytes, bytes))) return false
    const place = known.filter((key) => Buffer.compare(key.bytes, bytes) < 0).length
    if (place >= KEYS_OF_KID_MAX) return false
    this.#generation += 1
    this.#bound.set(name, known.toSpliced(place, 0, restoreKeyOnce(publicKey, bytes)).slice(0, KEYS_OF_KID_MAX))
    return true
  }

  /** The keys that `kid` names for this signer. `orgId` is the signer's organisation, when policy knows one. */
  find(signer: string, kid: string, orgId: string | undefined): KeyLookup {
    const ofSigner = this.#bound.get(`${signer}\n${kid}`)
    if (ofSigner === undefined && signer === `did:key:${kid}`) return this.#didKey(signer)
    const ofOrganisation = orgId === undefined ? undefined : this.#bound.get(`${orgId}\n${kid}`)
    const keys =
      ofSigner === undefined || ofOrganisation === undefined
        ? (ofSigner ?? ofOrganisation)
        : union(ofSigner, ofOrganisation)
    return keys === undefined
      ? { ok: false, code: 'KEY_UNKNOWN', detail: `no key ${kid} is bound to ${signer}` }
      : { ok: true, keys, mayGrow: ofOrganisation !== undefined }
  }

  #didKey(did: string): KeyLookup {
    const known = this.#didKeys.get(did)
    if (known !== undefined) return known
    const bytes = publicKeyOfDidKey(did)
    const lookup: KeyLookup =
      bytes === null
        ? { ok: false, code: 'KEY_WEAK', detail: `${did} is not the did:key of an Ed25519 key` }
        : checkedKey(bytes)
    if (this.#didKeys.size >= DID_KEYS_CACHED_MAX) this.#didKeys.clear()
    this.#didKeys.set(did, lookup)
    return lookup
  }
}

/** The look-up of a key that is not known to be a good one. */
function checkedKey(bytes: Uint8Array): KeyLookup {
  const checked = checkPublicKey(bytes)
  return checked.ok ? { ok: true, keys: [checked.key], mayGrow: false } : checked
}

function union(left: readonly CheckedPublicKey[], right: readonly CheckedPublicKey[]): readonly CheckedPublicKey[] {
  return [...left, ...right.filter(({ bytes }) => !left.some((key) => equalBytes(key.bytes, bytes)))]
}
