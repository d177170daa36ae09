import { ada, bob, canonicalOf, hashOf, rootOf, TS } from './event-parts.ts'
import type { Author } from './event-parts.ts'
import { hex } from './vector-file.ts'

type Parts = Readonly<Record<string, unknown>>

/** An active key of an author, with some members replaced. */
export function packKey(author: Author, changes: Parts = {}): Parts {
  return {
    kid: author.kid,
    notBefore: TS,
    publicKey: author.publicKey.toString('base64url'),
    status: 'ACTIVE',
    uses: ['event', 'pack'],
    ...changes
  }
}

export const adaKey = packKey(ada)
export const bobKey = packKey(bob)

/** Keys in the order in which packs hold them. */
export function ascending(...keys: readonly Parts[]): readonly Parts[] {
  return keys.toSorted((left, right) => (String(left['kid']) < String(right['kid']) ? -1 : 1))
}

/** The Merkle root over the resulting keys. */
export function packRootOf(orgId: string, threshold: number, keys: readonly Parts[]): string {
  return hex(rootOf([canonicalOf({ orgId, threshold }), ...ascending(...keys).map(canonicalOf)]))
}

/** The first pack of an organisation with Ada's key. */
export function packOf(changes: Parts = {}): Parts {
  return {
    keys: [adaKey],
    kind: 'full',
    orgId: 'vaultmesh',
    packSeq: 1,
    prevPack: null,
    root: packRootOf('vaultmesh', 1, [adaKey]),
    signingKids: [ada.kid],
    threshold: 1,
    validUntil: TS + 365 * 86_400_000,
    ...changes
  }
}

/** Ada and Bob in the order of their kids. */
export const packSigners: readonly Author[] = [ada, bob].toSorted((left, right) => (left.kid < right.kid ? -1 : 1))

/** The second pack: Bob's key comes, and both sign. */
export const secondPack = packOf({
  keys: [bobKey],
  kind: 'delta',
  packSeq: 2,
  prevPack: hashOf('the first pack'),
  root: packRootOf('vaultmesh', 2, [adaKey, bobKey]),
  signingKids: packSigners.map(({ kid }) => kid),
  threshold: 2
})
