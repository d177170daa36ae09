import { test } from 'vitest'
import { readersMissNothing } from './properties.ts'

test('no gap and no reorder at the seam, whoever joins when', async () => {
  await readersMissNothing(40)
})
