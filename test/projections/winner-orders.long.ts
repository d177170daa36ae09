import { test } from 'vitest'
import { checkBatchOrders, checkWinnerOrders } from './support/winner-orders.ts'

const RUNS = 500

test('500 orders of announces, verdicts, attestations and policies give the winners that follow from the sets', async () => {
  await checkWinnerOrders(RUNS)
})

test('500 orders of what is about one batch give the winner that follows from the set', async () => {
  await checkBatchOrders(RUNS)
})
