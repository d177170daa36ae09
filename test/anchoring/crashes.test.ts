import { test } from 'vitest'
import { checkCrashes } from './crashes.ts'

test('each batch is announced exactly once with every rail, whatever fails and wherever the node is killed', async () => {
  await checkCrashes(15)
})
