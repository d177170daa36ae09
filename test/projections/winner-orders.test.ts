import { test } from 'vitest'
import { checkBatchOrders, checkWinnerOrders } from './support/winner-orders.ts'

/** A winner is settled in one of eight cases: fewer cases could miss it altogether. The long tests have more. */
const RUNS = 100

test('any order of announces, verdicts, attestations and policies gives the same winners, losers, rules and states, and a rebuild changes nothing', async () => {
  await checkWinnerOrders(RUNS)
})

test('the same on one batch whose roots, evidence, quorum and chains come in any order', async () => {
  await checkBatchOrders(RUNS)
})
