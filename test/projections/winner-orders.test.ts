import { test } from 'vitest'
import { checkBatchOrders, checkWinnerOrders } from './support/winner-orders.ts'

/** The full count is in the long tests. */
const RUNS = 20

test('any order of announces, verdicts, attestations and policies gives the same winners, losers, rules and states, and a rebuild changes nothing', async () => {
  await checkWinnerOrders(RUNS)
})

test('the same on one batch whose roots, evidence, quorum and chains come in any order', async () => {
  await checkBatchOrders(RUNS)
})
