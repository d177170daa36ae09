import { test } from 'vitest'
import { checkCrashes } from './crashes.ts'

test('each batch is announced exactly once with every rail, over 600 runs of failures and kills', async () => {
  await checkCrashes(600)
})
