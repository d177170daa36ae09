import { sha256Hex } from '../../../protocols/primitives/sha256.ts'
import type { Digest } from '../../operations.ts'
import { AnchormeshError } from '../../platform/errors.ts'
import type { CommandContext } from '../command.ts'
import { shortHash, table } from '../table.ts'
import type { DemoNode } from './demo-node.ts'
import { poll } from './poll.ts'

/** One digest as each node has it, in the order of the nodes. */
export interface ComparedDigest {
  readonly namespace: string
  readonly digest: string
  readonly values: readonly string[]
  readonly equal: boolean
}

export interface Comparison {
  readonly equal: boolean
  readonly nodes: readonly string[]
  readonly digests: readonly ComparedDigest[]
}

/**
 * Asks every node for its digests until all are equal, or for as long as a poll lasts: the last event may still be on
 * its way. The answer says what each had in the end.
 */
export async function compareDigests(
  nodes: readonly DemoNode[],
  namespaces: readonly string[],
  context: CommandContext
): Promise<Comparison> {
  let last: Comparison | null = null
  const ask = async (): Promise<Comparison | null> => {
    const digests: ComparedDigest[] = []
    for (const namespace of namespaces) {
      digests.push(...compared(await Promise.all(nodes.map((node) => node.digest(namespace)))))
    }
    last = { equal: digests.every(({ equal }) => equal), nodes: nodes.map(({ name }) => name), digests }
    return last.equal ? last : null
  }
  try {
    return await poll('all digests are equal', ask, context)
  } catch (error) {
    if (error instanceof AnchormeshError && error.code === 'NOT_YET' && last !== null) return last
    throw error
  }
}

/** A row for each digest, a column for each node. Where none of them has anything there is nothing to compare. */
export function digestTable({ digests, nodes }: Comparison): string {
  return table<ComparedDigest>(
    [
      { heading: 'NAMESPACE', cell: ({ namespace }) => namespace },
      { heading: 'DIGEST', cell: ({ digest }) => digest },
      ...nodes.map((name, index) => ({
        heading: name.toUpperCase(),
        cell: ({ values }: ComparedDigest) => shortHash(values[index])
      })),
      { heading: 'EQUAL', cell: ({ equal }) => (equal ? 'yes' : 'NO') }
    ],
    digests.filter(({ values }) => values.some((value) => value !== OF_NOTHING))
  )
}

/** The digest of a projection without rows. */
const OF_NOTHING = sha256Hex('')

/** The digests of one namespace, one row each. */
function compared(digests: readonly Digest[]): ComparedDigest[] {
  const named = digests.map((digest): Readonly<Record<string, string>> => ({
    membership: digest.membershipDigest,
    events: digest.events,
    state: digest.state,
    ...digest.projections,
    winners: digest.winners.digest,
    'winners: policy': digest.winners.policyDigest,
    'winners: verdicts': digest.winners.verdictSetDigest
  }))
  const rows = [...new Set(named.flatMap((digest) => Object.keys(digest)))]
  return rows.map((row) => {
    const values = named.map((digest) => digest[row] ?? '')
    return { namespace: digests[0]?.namespace ?? '', digest: row, values, equal: new Set(values).size === 1 }
  })
}
