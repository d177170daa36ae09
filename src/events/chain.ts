import { encodeCanonical } from '../../protocols/canonical-json/v1/codec.ts'
import { sha256Hex } from '../../protocols/primitives/sha256.ts'
import { BoundedMap } from '../platform/bounded-map.ts'

// A node that follows ten thousand chains needs about 4 MiB for this; beyond that the hash is simply computed again.
const CACHE_ENTRIES_MAX = 10_000
const cache = new BoundedMap<string, string>(CACHE_ENTRIES_MAX)

/**
 * The name of the chain `(signer, kid, namespace)`: SHA-256, in hex, over the JCS array of the three, so that it has
 * one length whatever they are.
 */
export function chainIdOf(chain: {
  readonly signer: string
  readonly kid: string
  readonly namespace: string
}): string {
  const name = `${chain.signer}\n${chain.kid}\n${chain.namespace}`
  const known = cache.get(name)
  if (known !== undefined) return known
  const id = sha256Hex(encodeCanonical([chain.signer, chain.kid, chain.namespace]))
  cache.set(name, id)
  return id
}
