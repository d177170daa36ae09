import { parseAnchorPack } from '../../protocols/event/v1/anchor-pack.ts'
import type { DecodedEvent } from '../../protocols/event/v1/codec.ts'
import { ANCHOR_PACK_TYPE } from '../../protocols/event/v1/codec.ts'
import { fromBase64url } from '../../protocols/primitives/bytes.ts'
import type { KeyLookup } from './keyring.ts'
import { checkedKey } from './keyring.ts'

const NONE: ReadonlyMap<string, KeyLookup> = new Map()

/**
 * The keys that an anchor pack itself introduces, by kid, for checking its co-signers: a new key signs the pack that
 * names it. Only of kids that signed. Empty for other events.
 */
export function packKeysOf(event: DecodedEvent): ReadonlyMap<string, KeyLookup> {
  if (event.envelope.type !== ANCHOR_PACK_TYPE || event.signatures.length < 2) return NONE
  const reading = parseAnchorPack(event.envelope.body)
  if (!reading.ok) return NONE
  const signing = new Set(event.signatures.map(({ kid }) => kid))
  const keys = new Map<string, KeyLookup>()
  for (const { kid, publicKey } of reading.pack.keys) {
    const bytes = signing.has(kid) ? fromBase64url(publicKey) : null
    if (bytes !== null) keys.set(kid, checkedKey(bytes))
  }
  return keys
}
