import fc from 'fast-check'

export interface Mutation {
  readonly kind: 'flip' | 'cut' | 'double'
  readonly at: number
  readonly mask: number
}

/** One to three changes of up to `length` bytes: flipped bits (most often), a cut end, a stretch that comes twice. */
export function mutationsOf(length: number): fc.Arbitrary<readonly Mutation[]> {
  const at = fc.nat(length)
  const mask = fc.integer({ min: 1, max: 255 })
  const flip = fc.record({ kind: fc.constant('flip' as const), at, mask })
  const other = fc.record({ kind: fc.constantFrom('cut' as const, 'double' as const), at, mask })
  return fc.array(fc.oneof({ arbitrary: flip, weight: 4 }, other), { minLength: 1, maxLength: 3 })
}

export function mutate(bytes: Uint8Array, mutations: readonly Mutation[]): Uint8Array {
  return mutations.reduce<Uint8Array>((mutated, { kind, at, mask }) => {
    if (kind === 'cut') return mutated.slice(0, at)
    if (kind === 'double') return Uint8Array.of(...mutated.slice(0, at), ...mutated.slice(at >> 1))
    return at < mutated.length ? mutated.with(at, (mutated[at] ?? 0) ^ mask) : mutated
  }, Uint8Array.from(bytes))
}
