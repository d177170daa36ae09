import { expect, test } from 'vitest'
import type { WriteOperation } from '../../../src/log/store.ts'
import { generationPrefix, journalKey, rowsPrefix } from '../../../src/projections/keys.ts'
import { packRow } from '../../../src/projections/row-codec.ts'
import { winners } from '../../../src/projections/winners.ts'
import { sessionLogger } from '../../../simulations/results/noted-sessions.ts'
import type { NotedSession } from '../../../simulations/results/noted-sessions.ts'
import { TRACE_FIELDS } from '../../../simulations/results/trace-kinds.ts'
import { writtenWinners } from '../../../simulations/results/written-winners.ts'

test('sessions are noted from what a node logs of them, at every level, and nothing else is', () => {
  const noted: NotedSession[] = []
  const logger = sessionLogger((session) => void noted.push(session))
  const session = { peerId: '12D3', namespace: 'sim:main', role: 'initiator', end: 'synced', rounds: 3, sent: 4 }
  const fields = { ...session, by: undefined, detail: undefined, received: { accepted: 5, duplicate: 1 } }
  logger.child({}).debug(fields, 'a sync session')
  logger.warn(fields, 'a sync session went wrong')
  logger.info({ peerId: '12D3', namespace: 'sim:main' }, 'something else')
  expect(noted).toHaveLength(2)
  expect(TRACE_FIELDS.sync.strict().parse(noted[0])).toEqual({
    peer: '12D3',
    namespace: 'sim:main',
    role: 'initiator',
    end: 'synced',
    rounds: 3,
    sent: 4,
    received: 5
  })
})

test('winners are read from the rows that a node writes', () => {
  const batch = { namespace: 'sim:main', owner: 'org-1', batchId: 'b1' }
  const columns = Object.fromEntries(winners.layout.columns.map((column) => [column, null]))
  const winner = { chainId: 'btc:sim', evidenceId: 'tx' }
  const row = { ...columns, ...batch, status: 'verified', batchRoot: 'aa', winner }
  const keyed: Readonly<Record<string, string>> = batch
  const key = winners.layout.key.map((field) => (field === null ? '' : (keyed[field] ?? ''))).join('!')
  const place = rowsPrefix(generationPrefix('winners', 1)) + key
  const put = (at: string, value: unknown): WriteOperation => ({ type: 'put', key: at, value: JSON.stringify(value) })
  const operations: WriteOperation[] = [
    put('r!1', {}),
    put(place, packRow(winners.layout, row)),
    put(place, packRow(winners.layout, { ...row, status: 'proposed', winner: null })),
    put(journalKey('winners', 1, 1), {}),
    { type: 'del', key: place }
  ]
  const found = writtenWinners(operations).map((fields) => TRACE_FIELDS.winner.strict().parse(fields))
  expect(found).toEqual([
    { ...batch, status: 'verified', batchRoot: 'aa', chainId: 'btc:sim', evidenceId: 'tx' },
    { ...batch, status: 'proposed', batchRoot: null, chainId: null, evidenceId: null }
  ])
})
