import { test } from 'vitest'
import { checkMixes } from './model.ts'

test('many mixes of requests get the codes of the model', async () => {
  await checkMixes(300)
}, 300_000)
