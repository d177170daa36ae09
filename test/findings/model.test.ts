import { test } from 'vitest'
import { checkMixes } from './model.ts'

test('every mix of requests gets the codes of the model', async () => {
  await checkMixes(8)
})
