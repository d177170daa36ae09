import { expect } from 'vitest'
import type { JsonObject } from '../../protocols/canonical-json/v1/json.ts'
import type { AnchormeshNode } from '../../src/node.ts'
import type { AnchoringRow } from '../../src/projections/anchorings.ts'
import type { TimestampAnchorRow } from '../../src/projections/timestamp-anchors.ts'
import type { WinnerChange } from '../../src/projections/winner-change.ts'
import type { WinnerRow } from '../../src/projections/winners.ts'
import type { Federation } from '../support/federation.ts'
import { NAMESPACE } from '../support/identities.ts'
import { BTC_CHAIN, EVM_CHAIN } from '../support/real-rails.ts'
import type { RealRails } from '../support/real-rails.ts'

/** What a federation seals, and has anchored. */
export const BATCH = { namespace: NAMESPACE, batchId: 'b-1' }

/** The row of the batch, which another node may not have yet. */
export async function winnerOf(node: AnchormeshNode): Promise<WinnerRow | null> {
  const { rows } = await node.query('winners', BATCH)
  return (rows[0] as WinnerRow | undefined) ?? null
}

async function anchorOf(node: AnchormeshNode, evidenceId: string): Promise<TimestampAnchorRow | null> {
  const { rows } = await node.query('timestamp-anchors', BATCH)
  return (rows as readonly TimestampAnchorRow[]).find((row) => row.evidenceId === evidenceId) ?? null
}

/** Waits until it is so on every node. */
export async function everywhere<Answer>(
  federation: Federation,
  what: string,
  ask: (node: AnchormeshNode) => Promise<Answer | null>,
  isSo: (answer: Answer) => boolean
): Promise<readonly Answer[]> {
  const { nodes } = federation
  return await federation.eventually(`${what} on every node`, async () => {
    const answers = await Promise.all(nodes.map(ask))
    const fitting = answers.filter((answer) => answer !== null && isSo(answer)) as Answer[]
    return fitting.length === nodes.length ? fitting : null
  })
}

/** Waits until evidence on the chain wins on every node; the rows. */
export const wins = (federation: Federation, chainId: string): Promise<readonly WinnerRow[]> =>
  everywhere(federation, `${chainId} wins`, winnerOf, ({ winner }) => winner?.chainId === chainId)

/** Waits until every node shows the evidence so. */
export const stands = (
  federation: Federation,
  evidenceId: string,
  wanted: Partial<TimestampAnchorRow>
): Promise<readonly TimestampAnchorRow[]> =>
  everywhere(
    federation,
    `${evidenceId} is ${JSON.stringify(wanted)}`,
    (node) => anchorOf(node, evidenceId),
    (row) => Object.entries(wanted).every(([name, value]) => row[name as keyof TimestampAnchorRow] === value)
  )

/** The digests that nodes compare, which are to be the same on all. */
export async function expectEqual({ nodes }: Federation): Promise<void> {
  const digests = await Promise.all(nodes.map((node) => node.digest(NAMESPACE)))
  const compared = digests.map(({ events, state, winners }) => ({ events, state, winners }))
  expect(compared).toEqual(compared.map(() => compared[0]))
}

/** Without the columns that are the node's own. */
export const shared = ({
  firstSeenLogSeq: _seen,
  verifiedHere: _here,
  winner,
  losers,
  ...row
}: WinnerRow): JsonObject => ({
  ...row,
  winner: winner === null ? null : { ...winner, firstSeenLogSeq: null },
  losers: losers.map((loser) => ({ ...loser, firstSeenLogSeq: null }))
})

/** Evidence on a chain, announced once it is final; `confirm` makes the blocks. */
export async function anchored(
  federation: Federation,
  rail: 'evm' | 'btc',
  confirm: () => Promise<unknown>
): Promise<{ readonly eventId: string; readonly evidenceId: string }> {
  const { maker } = federation
  await maker.anchor({ ...BATCH, rail })
  await federation.eventually('it was broadcast', async () => {
    await maker.upgradeAnchors({})
    return (await maker.status()).anchoring.jobs.some(({ detail }) => /broadcast|sent|block/.test(detail ?? ''))
  })
  await confirm()
  const chainId = rail === 'btc' ? BTC_CHAIN : EVM_CHAIN
  return await federation.eventually(`${chainId} is announced`, async () => {
    const { rows } = await maker.query('anchorings', { ...BATCH, status: 'announced' })
    const row = (rows as readonly AnchoringRow[]).find((of) => of.chainId === chainId)
    return row === undefined ? null : { eventId: row.eventId ?? '', evidenceId: row.evidenceId ?? '' }
  })
}

/** What a reader hears of winners from now on. */
export function winnerChanges(node: AnchormeshNode): { readonly heard: WinnerChange[] } {
  const heard: WinnerChange[] = []
  const read = async (): Promise<void> => {
    for await (const update of node.changes('winners')) {
      const change = update.kind === 'change' ? update.winnerChanged : null
      if (change !== null && change !== undefined) heard.push(change)
    }
  }
  void read()
  return { heard }
}

/** Milliseconds since 1970, as the chain has it. */
export async function evmTimeOf(
  { anvil }: RealRails,
  { blockNumber }: { readonly blockNumber: number }
): Promise<number> {
  const at = `0x${blockNumber.toString(16)}`
  const block = await anvil.rpc<{ readonly timestamp: string }>('eth_getBlockByNumber', at, false)
  return Number(block.timestamp) * 1_000
}
