import { fromBase64url } from '../../protocols/primitives/bytes.ts'
import type { CheckedPublicKey } from '../../protocols/signature/v1/ed25519.ts'
import { restorePublicKey } from '../../protocols/signature/v1/ed25519.ts'
import { PARTNERS_PREFIX, partnerKey } from '../log/keys.ts'
import type { Store } from '../log/store.ts'
import { prefixRange } from '../log/store.ts'
import type { WriteToStore } from '../log/store-writer.ts'
import { AnchormeshError } from '../platform/errors.ts'
import { InTurn } from '../platform/in-turn.ts'

// As many as an operator registers by a script, not by hand; about 6 MiB of memory. Each is known to have come from who
// holds the admin token.
export const REGISTERED_KEYS_MAX = 10_000

/** A key of a node outside the mesh, as an operator registered it. */
export interface RegisteredKey {
  readonly did: string
  readonly kid: string
  /** 32 bytes, base64url; found good (signature/v1) before it was registered. */
  readonly publicKey: string
  /** The tenant in whose key domain it is; `null`: of none. */
  readonly tenant: string | null
  /** Milliseconds since 1970. */
  readonly registeredAt: number
}

interface Held {
  readonly registered: RegisteredKey
  readonly key: CheckedPublicKey
}

/** The keys of `d!` in the store, all of them in memory. */
export class RegisteredNodes {
  readonly #store: Store
  readonly #write: WriteToStore
  readonly #held = new Map<string, Held>()
  readonly #byKid = new Map<string, Map<string, Held>>()
  readonly #keysOfDid = new Map<string, number>()
  readonly #line = new InTurn()

  constructor(ports: { readonly store: Store; readonly write: WriteToStore }) {
    this.#store = ports.store
    this.#write = ports.write
  }

  /** Reads what was registered. Until then nobody is. */
  async load(): Promise<void> {
    await this.#line.run(async () => {
      for await (const [, value] of this.#store.range(prefixRange(PARTNERS_PREFIX))) {
        this.#add(JSON.parse(Buffer.from(value).toString('utf8')) as RegisteredKey)
      }
    })
  }

  /**
   * Registers a key that was found good; durable when it resolves. Not new where it was registered before, for the same
   * tenant. Throws `KEY_EXISTS` where the DID has another key by this kid, or the key another tenant, and `STORE_FULL`.
   */
  async add(registered: RegisteredKey): Promise<{ readonly isNew: boolean; readonly registered: RegisteredKey }> {
    return await this.#line.run(async () => {
      const { did, kid, publicKey, tenant } = registered
      const name = nameOf(did, kid)
      const known = this.#held.get(name)?.registered
      if (known?.publicKey === publicKey && known.tenant === tenant) return { isNew: false, registered: known }
      if (known !== undefined)
        throw new AnchormeshError('KEY_EXISTS', `${did} has a key ${kid} already`, {
          hint: 'Remove it first, or register the new key under a kid of its own.',
          detail: { did, kid, publicKey: known.publicKey, tenant: known.tenant }
        })
      if (this.#held.size >= REGISTERED_KEYS_MAX)
        throw new AnchormeshError('STORE_FULL', `${REGISTERED_KEYS_MAX} keys are registered`, {
          hint: 'Remove those that are no longer used.'
        })
      await this.#write([{ type: 'put', key: partnerKey(did, kid), value: JSON.stringify(registered) }], { sync: true })
      this.#add(registered)
      return { isNew: true, registered }
    })
  }

  /** From now on nothing is taken under the key. Durable when it resolves; `false` where there is none. */
  async remove(did: string, kid: string): Promise<boolean> {
    return await this.#line.run(async () => {
      const name = nameOf(did, kid)
      if (!this.#held.has(name)) return false
      await this.#write([{ type: 'del', key: partnerKey(did, kid) }], { sync: true })
      this.#held.delete(name)
      const holders = this.#byKid.get(kid)
      holders?.delete(did)
      if (holders?.size === 0) this.#byKid.delete(kid)
      const left = (this.#keysOfDid.get(did) ?? 1) - 1
      if (left === 0) this.#keysOfDid.delete(did)
      else this.#keysOfDid.set(did, left)
      return true
    })
  }

  /** Sorted by DID, then kid. */
  list(): readonly RegisteredKey[] {
    return [...this.#held.keys()].sort().flatMap((name) => {
      const held = this.#held.get(name)
      return held === undefined ? [] : [held.registered]
    })
  }

  find(did: string, kid: string): Held | undefined {
    return this.#held.get(nameOf(did, kid))
  }

  withKid(kid: string): readonly Held[] {
    return [...(this.#byKid.get(kid)?.values() ?? [])]
  }

  knows(did: string): boolean {
    return this.#keysOfDid.has(did)
  }

  #add(registered: RegisteredKey): void {
    const { did, kid, publicKey } = registered
    const bytes = fromBase64url(publicKey)
    if (bytes === null) throw new AnchormeshError('STORE_CORRUPT', `the registered key ${kid} of ${did} is none`)
    const held = { registered, key: restorePublicKey(bytes) }
    const name = nameOf(did, kid)
    if (!this.#held.has(name)) this.#keysOfDid.set(did, (this.#keysOfDid.get(did) ?? 0) + 1)
    this.#held.set(name, held)
    const holders = this.#byKid.get(kid) ?? new Map<string, Held>()
    holders.set(did, held)
    this.#byKid.set(kid, holders)
  }
}

const nameOf = (did: string, kid: string): string => `${did}\n${kid}`
