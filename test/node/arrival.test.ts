import { test } from 'vitest'
import { arrivalsAgree } from './properties.ts'

test('in whatever order, how often and how many at a time events come in at the door, every node ends with the same', async () => {
  await arrivalsAgree(20)
})
