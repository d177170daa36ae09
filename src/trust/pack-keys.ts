import { parseAnchorPack } from '../../protocols/event/v1/anchor-pack.ts'
import type { DecodedEvent } from '../../protocols/event/v1/codec.ts'
import { ANCHOR_PACK_TYPE } from '../../protocols/event/v1/codec.ts'
import { checkKeyOnce } from './checked-keys.ts'
import type { KeyLookup } from '../events/verified.ts'

/**
 * The keys that an anchor pack itself introduces, by kid, for checking its co-signers: a new key signs the pack that
 * names it. Only of kids that signed. Empty for other events. `get` checks the key that it is asked for and no other,
 * which costs milliseconds for a new one: who verifies the envelope's own signature first is not kept busy by garbage.
 */
export function packKeysOf(event: DecodedEvent): ReadonlyMap<string, KeyLookup> {
  return new KeysCheckedWhenAsked(publicKeysOf(event))
}

class KeysCheckedWhenAsked implements ReadonlyMap<string, KeyLookup> {
  readonly #publicKeys: ReadonlyMap<string, string>

  constructor(publicKeys: ReadonlyMap<string, string>) {
    this.#publicKeys = publicKeys
  }

  get size(): number {
    return this.#publicKeys.size
  }

  has(kid: string): boolean {
    return this.#publicKeys.has(kid)
  }

  get(kid: string): KeyLookup | undefined {
    const publicKey = this.#publicKeys.get(kid)
    return publicKey === undefined ? undefined : lookUp(publicKey)
  }

  keys(): MapIterator<string> {
    return this.#publicKeys.keys()
  }

  values(): MapIterator<KeyLookup> {
    return this.#allChecked().values()
  }

  entries(): MapIterator<[string, KeyLookup]> {
    return this.#allChecked().entries()
  }

  forEach(each: (lookup: KeyLookup, kid: string, map: ReadonlyMap<string, KeyLookup>) => void): void {
    for (const [kid, lookup] of this.entries()) each(lookup, kid, this)
  }

  [Symbol.iterator](): MapIterator<[string, KeyLookup]> {
    return this.entries()
  }

  #allChecked(): Map<string, KeyLookup> {
    return new Map([...this.#publicKeys].map(([kid, publicKey]) => [kid, lookUp(publicKey)]))
  }
}

function lookUp(publicKey: string): KeyLookup {
  const checked = checkKeyOnce(publicKey)
  return checked.ok ? { ok: true, keys: [checked.key], mayGrow: false } : checked
}

function publicKeysOf(event: DecodedEvent): ReadonlyMap<string, string> {
  if (event.envelope.type !== ANCHOR_PACK_TYPE || event.signatures.length < 2) return new Map()
  const reading = parseAnchorPack(event.envelope.body)
  if (!reading.ok) return new Map()
  const signing = new Set(event.signatures.map(({ kid }) => kid))
  const introduced = reading.pack.keys.filter(({ kid }) => signing.has(kid))
  return new Map(introduced.map(({ kid, publicKey }) => [kid, publicKey]))
}
