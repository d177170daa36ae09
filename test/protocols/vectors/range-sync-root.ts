import { hex, sha256 } from './vector-file.ts'

/** A chain as RS-1 needs it, in hex; the ids of its tips in no order. */
export interface PlainChain {
  readonly chain: string
  readonly tips: readonly string[]
}

/** The chain state, from the table of words of the SPEC. */
export function stateOf({ chain, tips }: PlainChain): string {
  return hash(chain + tips.toSorted().join(''))
}

/** RS-1 with all 4,096 buckets written out; `buckets` has those that hold chains. */
export function rootOf(chains: readonly PlainChain[]): {
  readonly buckets: Readonly<Record<string, string>>
  readonly root: string
} {
  const ascending = chains.toSorted((left, right) => (left.chain < right.chain ? -1 : 1))
  const buckets: Record<string, string> = {}
  let groups = ''
  for (let group = 0; group < 64; group += 1) {
    let hashes = ''
    for (let bucket = group * 64; bucket < (group + 1) * 64; bucket += 1) {
      const own = ascending.filter(({ chain }) => chain.startsWith(bucket.toString(16).padStart(3, '0')))
      const hashOfBucket = hash(`00${own.map(stateOf).join('')}`)
      if (own.length > 0) buckets[`${bucket}`] = hashOfBucket
      hashes += hashOfBucket
    }
    groups += hash(`01${hashes}`)
  }
  return { buckets, root: hash(`02${groups}`) }
}

function hash(bytes: string): string {
  return hex(sha256(Buffer.from(bytes, 'hex')))
}
