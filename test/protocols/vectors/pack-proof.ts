import { ada, authorOf, bob, canonicalOf, rootOf } from './event-parts.ts'
import { ascending, packKey, packRootOf } from './pack-parts.ts'
import { hex, sha256 } from './vector-file.ts'
import type { Vector, VectorFile } from './vector-file.ts'

const ORG = 'vaultmesh'

/** The vectors of EV-38. */
export function packProofVectors(): readonly VectorFile[] {
  return [
    {
      path: 'event/v1/vectors/pack-proof.json',
      description: 'Proofs of keys that hold against the pack root (hex), with the keys and the threshold under it.',
      vectors: [1, 2, 3, 5].flatMap(proofsOf)
    },
    {
      path: 'event/v1/vectors/pack-proof-invalid.json',
      description: 'Proofs of keys that do not hold against the pack root (hex).',
      vectors: invalid()
    }
  ]
}

const keysOf = (size: number): readonly Readonly<Record<string, unknown>>[] =>
  ascending(...[ada, bob, ...['carol', 'dan', 'eve'].map(authorOf)].slice(0, size).map((author) => packKey(author)))

/** PATH of RFC 9162 section 2.1.3.1. */
function pathOf(index: number, leaves: readonly Buffer[]): Buffer[] {
  if (leaves.length <= 1) return []
  let split = 1
  while (split * 2 < leaves.length) split *= 2
  return index < split
    ? [...pathOf(index, leaves.slice(0, split)), rootOf(leaves.slice(split))]
    : [...pathOf(index - split, leaves.slice(split)), rootOf(leaves.slice(0, split))]
}

function proofsOf(size: number): Vector[] {
  const keys = keysOf(size)
  const leaves = [canonicalOf({ orgId: ORG, threshold: 1 }), ...keys.map(canonicalOf)]
  return keys.map((key, place) => ({
    description: `key ${place + 1} of ${size}`,
    rule: 'EV-38',
    orgId: ORG,
    threshold: 1,
    keys,
    root: packRootOf(ORG, 1, keys),
    proof: { key, index: place + 1, treeSize: leaves.length, path: pathOf(place + 1, leaves).map(hex) }
  }))
}

function invalid(): Vector[] {
  const [, good] = proofsOf(3)
  const { proof, root } = good as unknown as { proof: Readonly<Record<string, unknown>>; root: string }
  const { key } = proof as { key: Readonly<Record<string, unknown>> }
  const broken = (description: string, changes: Readonly<Record<string, unknown>>, under = root): Vector => ({
    description,
    rule: 'EV-38',
    root: under,
    proof: { ...proof, ...changes }
  })
  const organisation = canonicalOf({ orgId: ORG, threshold: 1 })
  return [
    broken('another status', { key: { ...key, status: 'REVOKED' } }),
    broken('another public key', { key: packKey(authorOf('mallory'), { kid: key['kid'] }) }),
    broken('another index', { index: 1 }),
    broken('the leaf of the organisation', { index: 0 }),
    broken('an index beyond the keys', { index: 4 }),
    broken('another size', { treeSize: 5 }),
    broken('a path that is too short', { path: (proof['path'] as string[]).slice(1) }),
    broken('a path that is too long', { path: [...(proof['path'] as string[]), hex(sha256('one more'))] }),
    broken('a path that is no hex', { path: ['no hex', 'no hex'] }),
    broken('another root', {}, hex(sha256(organisation))),
    broken('the root of another organisation', {}, packRootOf('bakery', 1, keysOf(3)))
  ]
}
