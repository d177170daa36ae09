import { parseAnchorPack } from '../../protocols/event/v1/anchor-pack.ts'
import type { DecodedEvent } from '../../protocols/event/v1/codec.ts'
import { ANCHOR_PACK_TYPE } from '../../protocols/event/v1/codec.ts'
import { checkKeyOnce } from './checked-keys.ts'
import type { KeyLookup } from '../events/verified.ts'

/**
 * The keys that an anchor pack itself introduces, by kid, for checking its co-signers: a new key signs the pack that
 * names it. Only of kids that signed; none for other events. A key is checked when it is asked for, which costs
 * milliseconds for a new one: who verifies the envelope's own signature first is not kept busy by garbage.
 */
export function packKeysOf(event: DecodedEvent): (kid: string) => KeyLookup | undefined {
  const publicKeys = publicKeysOf(event)
  return (kid) => {
    const publicKey = publicKeys.get(kid)
    return publicKey === undefined ? undefined : lookUp(publicKey)
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
